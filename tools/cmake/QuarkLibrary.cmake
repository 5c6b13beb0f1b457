# SPDX-License-Identifier: Apache-2.0
# libquark, static and shared, from the objects of the folders; what is not QK_API stays hidden.

# Takes the folders whole into a target: their objects, and the libraries that they use.
function(quark_take_folders target)
    get_property(folders GLOBAL PROPERTY QUARK_FOLDERS)
    foreach(folder ${folders})
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:${folder}>)
        get_target_property(libraries ${folder} INTERFACE_LINK_LIBRARIES)
        list(FILTER libraries EXCLUDE REGEX "^quark_(base|devices|kernels|scheduler|host|predict|cluster)$")
        target_link_libraries(${target} PRIVATE ${libraries})
    endforeach()
endfunction()

foreach(kind STATIC SHARED)
    string(TOLOWER ${kind} suffix)
    add_library(quark_${suffix} ${kind})
    set_target_properties(quark_${suffix} PROPERTIES
        OUTPUT_NAME quark VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)
    quark_take_folders(quark_${suffix})
    quark_whole_link(quark_${suffix})
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
    quark_take_folders(${name})
    quark_whole_link(${name})
    foreach(folder ${folders})
        target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:${folder},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    target_link_libraries(${name} PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
endfunction()
