# SPDX-License-Identifier: Apache-2.0
# Every library from the distribution; each becomes an imported target that a folder names in LIBS.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(quark_pkg target)
    pkg_check_modules(${target} REQUIRED IMPORTED_TARGET GLOBAL ${ARGN})
endfunction()

# Libraries whose package ships no .pc file.
function(quark_find target header library)
    find_path(${target}_INCLUDE ${header} REQUIRED)
    find_library(${target}_LIBRARY ${library} REQUIRED)
    add_library(quark_dep_${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(quark_dep_${target} INTERFACE ${${target}_INCLUDE})
    target_link_libraries(quark_dep_${target} INTERFACE ${${target}_LIBRARY})
endfunction()

quark_pkg(OPENCL OpenCL)
quark_pkg(HWLOC hwloc)
quark_pkg(XXHASH libxxhash)
quark_pkg(YAML yaml-0.1)
quark_pkg(JANSSON jansson)
quark_pkg(PROTOBUF_C libprotobuf-c)
quark_pkg(PNG libpng)
quark_pkg(JPEG libjpeg)
quark_pkg(LMDB lmdb)
quark_pkg(CRYPTO libcrypto)
quark_pkg(MICROHTTPD libmicrohttpd)
quark_find(NUMA numa.h numa)
quark_find(CLBLAST clblast_c.h clblast)
quark_find(DNNL dnnl.h dnnl)
find_library(BOOST_CONTEXT_LIBRARY boost_context REQUIRED)
add_library(quark_dep_BOOST_CONTEXT INTERFACE IMPORTED GLOBAL)
target_link_libraries(quark_dep_BOOST_CONTEXT INTERFACE ${BOOST_CONTEXT_LIBRARY})

find_program(PROTOC_C protoc-c REQUIRED)
find_file(ONNX_PROTO onnx/onnx.proto REQUIRED)
