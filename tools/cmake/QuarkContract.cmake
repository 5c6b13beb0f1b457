# SPDX-License-Identifier: Apache-2.0
# Contracts: what protoc-c and protoc-gen-quark make of .proto files, compiled into a target.
#
#   quark_contract(camera vision.proto)                             #include "vision.quark.h"
#   quark_contract(camera vision.proto google/protobuf/empty.proto) and a file that it imports
#   quark_contract(camera vision.proto FROM proto)                  of another folder than the current one
#
# Paths are relative to that folder, or to the one where protobuf keeps its own files; both are protoc's search path.
# What is generated lies in the build tree, under the same path. A project outside of this one includes this file, and
# finds protoc-gen-quark on the PATH.
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
find_path(PROTOBUF_PROTOS google/protobuf/compiler/plugin.proto REQUIRED)
if(NOT TARGET protoc-gen-quark AND NOT PROJECT_NAME STREQUAL "quark")
    find_program(PROTOC_GEN_QUARK protoc-gen-quark REQUIRED)
endif()

function(quark_contract target)
    cmake_parse_arguments(C "" "FROM" "" ${ARGN})
    get_filename_component(from "${C_FROM}" ABSOLUTE)
    set(code ${CMAKE_CURRENT_BINARY_DIR}/contracts/${target})
    set(messages ${CMAKE_CURRENT_BINARY_DIR}/messages/${target})    # protoc-c's: not ours, so held to no warnings
    set(plugin ${PROTOC_GEN_QUARK})
    if(NOT plugin)
        set(plugin $<TARGET_FILE:protoc-gen-quark>)
    endif()
    foreach(file ${C_UNPARSED_ARGUMENTS})
        string(REGEX REPLACE "\\.proto$" "" stem ${file})
        set(proto ${from}/${file})
        if(NOT EXISTS ${proto})
            set(proto ${PROTOBUF_PROTOS}/${file})
        endif()
        set(generated ${messages}/${stem}.pb-c.c ${messages}/${stem}.pb-c.h ${code}/${stem}.quark.c ${code}/${stem}.quark.h)
        add_custom_command(OUTPUT ${generated}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${code} ${messages}
            COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_GEN_C} --plugin=protoc-gen-quark=${plugin}
                    --proto_path=${from} --proto_path=${PROTOBUF_PROTOS}
                    --c_out=${messages} --quark_out=${code} ${file}
            DEPENDS ${proto} $<$<TARGET_EXISTS:protoc-gen-quark>:protoc-gen-quark> VERBATIM)
        set_source_files_properties(${messages}/${stem}.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
        target_sources(${target} PRIVATE ${generated})
    endforeach()
    target_include_directories(${target} PRIVATE ${code})
    target_include_directories(${target} SYSTEM PRIVATE ${messages})
endfunction()
