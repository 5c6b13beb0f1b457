# SPDX-License-Identifier: Apache-2.0
# libquark, static and shared, from the objects of the folders; what is not QK_API stays hidden.
get_property(folders GLOBAL PROPERTY QUARK_FOLDERS)
foreach(kind STATIC SHARED)
    string(TOLOWER ${kind} suffix)
    add_library(quark_${suffix} ${kind})
    set_target_properties(quark_${suffix} PROPERTIES
        OUTPUT_NAME quark VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)
    foreach(folder ${folders})
        target_sources(quark_${suffix} PRIVATE $<TARGET_OBJECTS:${folder}>)
        get_target_property(libraries ${folder} INTERFACE_LINK_LIBRARIES)
        list(FILTER libraries EXCLUDE REGEX "^quark_(base|devices|kernels|scheduler|host|predict|cluster)$")
        target_link_libraries(quark_${suffix} PRIVATE ${libraries})
    endforeach()
endforeach()

# What a module or an application compiles against: the public headers of every folder.
add_library(quark_headers INTERFACE)
foreach(folder base kernels host predict)
    target_include_directories(quark_headers INTERFACE ${PROJECT_SOURCE_DIR}/${folder}/include)
endforeach()

# A program of ours: the folders whole, so that modules it loads find all of the public API in it.
function(quark_program name)
    get_property(folders GLOBAL PROPERTY QUARK_FOLDERS)
    add_executable(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
    foreach(folder ${folders})
        target_link_libraries(${name} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${folder}>)
    endforeach()
    target_link_libraries(${name} PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
endfunction()
