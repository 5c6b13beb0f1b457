# SPDX-License-Identifier: Apache-2.0
# A folder is one target. It sees its own headers and those of the folders that it USES, and nothing else:
# includes are written "folder/file.h", and each folder's include path is a directory that holds only
# a link to that folder, so an include that climbs does not compile.

#   quark_folder(scheduler SOURCES a.c b.c USES devices LIBS PkgConfig::HWLOC)
function(quark_folder name)
    cmake_parse_arguments(F "" "" "SOURCES;USES;LIBS" ${ARGN})
    set(door ${PROJECT_BINARY_DIR}/doors/${name})
    file(MAKE_DIRECTORY ${door})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${door}/${name} SYMBOLIC)

    add_library(quark_${name} STATIC ${F_SOURCES})
    if(name MATCHES "^(base|scheduler|host)$")
        quark_whole_object(quark_${name})
    endif()
    target_include_directories(quark_${name} PUBLIC ${door})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include)
        target_include_directories(quark_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
    endif()
    foreach(used ${F_USES})
        target_link_libraries(quark_${name} PUBLIC quark_${used})
    endforeach()
    target_link_libraries(quark_${name} PUBLIC ${F_LIBS})
    set_property(GLOBAL APPEND PROPERTY QUARK_FOLDERS quark_${name})
endfunction()

#   quark_embed(kernels conv.cl)   makes `const char qk__embedded_conv_cl[]` (zero ended) and `..._size`
function(quark_embed folder)
    foreach(file ${ARGN})
        get_filename_component(base ${file} NAME)
        string(MAKE_C_IDENTIFIER ${base} symbol)
        set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.c)
        add_custom_command(OUTPUT ${out}
            COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/${file} -DOUT=${out}
                    -DSYMBOL=qk__embedded_${symbol} -P ${PROJECT_SOURCE_DIR}/tools/cmake/embed.cmake
            DEPENDS ${file} ${PROJECT_SOURCE_DIR}/tools/cmake/embed.cmake VERBATIM)
        target_sources(quark_${folder} PRIVATE ${out})
    endforeach()
endfunction()

#   quark_test(base test_map SOURCES test_map.c USES base LIBS ... ARGS ... LABELS ...)   one cmocka program
function(quark_test folder name)
    cmake_parse_arguments(T "FAILING_MEMORY" "TIMEOUT" "SOURCES;USES;LIBS;LABELS;ARGS" ${ARGN})
    if(NOT T_SOURCES)
        set(T_SOURCES ${name}.c)
    endif()
    if(T_FAILING_MEMORY)    # see tests/failing_memory.h
        list(APPEND T_SOURCES ${PROJECT_SOURCE_DIR}/tests/failing_memory.c)
        list(APPEND T_LIBS -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc)
    endif()
    add_executable(${name} ${T_SOURCES})
    foreach(used ${T_USES})
        target_link_libraries(${name} PRIVATE quark_${used})
    endforeach()
    target_link_libraries(${name} PRIVATE ${T_LIBS} cmocka)
    quark_plain_link(${name})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME ${folder}/${name} COMMAND ${name} ${T_ARGS})
    quark_test_properties(${folder}/${name} LABELS ${folder} ${T_LABELS} TIMEOUT ${T_TIMEOUT})
endfunction()

#   quark_script_test(tools help COMMAND bash x.sh)   the programs as a user runs them
function(quark_script_test folder name)
    cmake_parse_arguments(T "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    add_test(NAME ${folder}/${name} COMMAND ${T_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    quark_test_properties(${folder}/${name} LABELS ${folder} ${T_LABELS} TIMEOUT ${T_TIMEOUT})
endfunction()

# 77 is "skipped": data or a program that only some machines have. With CI=true a test must not use it for data.
function(quark_test_properties test)
    cmake_parse_arguments(P "" "TIMEOUT" "LABELS" ${ARGN})
    if(NOT P_TIMEOUT)
        set(P_TIMEOUT 300)
    endif()
    set(environment "QUARK_BUILD_DIR=${PROJECT_BINARY_DIR}" "QUARK_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
    if(QUARK_SANITIZE STREQUAL "address")
        # The tests ask for impossible sizes and expect NULL, as without a sanitizer.
        list(APPEND environment "ASAN_OPTIONS=allocator_may_return_null=1"
            "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0")
    elseif(QUARK_SANITIZE STREQUAL "thread")
        list(APPEND environment "TSAN_OPTIONS=allocator_may_return_null=1:suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
    endif()
    set_tests_properties(${test} PROPERTIES
        LABELS "${P_LABELS}" TIMEOUT ${P_TIMEOUT} SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
endfunction()
