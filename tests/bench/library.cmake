# SPDX-License-Identifier: Apache-2.0
# The benchmarks as a library of the quark command, which has them also where the tests are not built.
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(quark_bench OBJECT
    ${here}/bench.c ${here}/record.c ${here}/registry.c
    ${here}/activate.c ${here}/ask.c ${here}/ask_load.c ${here}/big.c ${here}/create.c ${here}/engine.c ${here}/fanin.c
    ${here}/infer_cpu.c ${here}/launch.c ${here}/ort.c ${here}/pingpong.c ${here}/prewarm.c
    ${here}/profile.c ${here}/ring.c ${here}/skynet.c ${here}/timers.c)
target_include_directories(quark_bench PUBLIC ${here})
target_link_libraries(quark_bench PUBLIC quark_predict PkgConfig::JANSSON)
target_compile_definitions(quark_bench PRIVATE QUARK_BENCH_FOLDER="${here}")
