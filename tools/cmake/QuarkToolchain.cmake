# SPDX-License-Identifier: Apache-2.0
# Warnings, sanitizers and the compiler cache, for every target of the project.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Werror
    -fno-common -fno-strict-aliasing -fno-omit-frame-pointer -g)
add_compile_definitions(_GNU_SOURCE CL_TARGET_OPENCL_VERSION=300)

set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")    # asserts stay: they are cheap, and they are the contract inside
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

if(QUARK_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -O1)
    add_link_options(-fsanitize=address,undefined)
elseif(QUARK_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread -O1)
    add_link_options(-fsanitize=thread)
elseif(QUARK_SANITIZE)
    message(FATAL_ERROR "QUARK_SANITIZE: '${QUARK_SANITIZE}' is neither address nor thread")
endif()
if(QUARK_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
