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

# The engine's folders are optimised as one where they are linked for use (the programs, the shared library):
# a message passes through base, scheduler and host, and crossing their files costs a sixth of its time.
# Objects are fat, so that tests link as before.
set(QUARK_WHOLE OFF)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT QUARK_SANITIZE)
    set(QUARK_WHOLE ON)
endif()

function(quark_whole_object target)
    if(QUARK_WHOLE)
        target_compile_options(${target} PRIVATE -flto -ffat-lto-objects)
    endif()
endfunction()

function(quark_plain_link target)
    if(QUARK_WHOLE)
        target_link_options(${target} PRIVATE -fno-use-linker-plugin)
    endif()
endfunction()

function(quark_whole_link target)
    if(QUARK_WHOLE)
        target_link_options(${target} PRIVATE -flto=auto -O2 -fno-omit-frame-pointer -g)
    endif()
endfunction()

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
