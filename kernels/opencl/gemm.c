/* SPDX-License-Identifier: Apache-2.0 */
/* gemm.c - matrix products by CLBlast, with its scratch memory from us, so that the ledger knows of
 * it. */
#include "kernels/opencl/exec.h"

#include <clblast_c.h>

static CLBlastTranspose transpose_of(bool is_transposed)
{
    return is_transposed ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static qk_status status_of(struct qk__cl_state *state, const struct qk__cl_gemm *gemm,
                           CLBlastStatusCode code, struct qk_error *error)
{
    qk_status st = QK_INTERNAL;

    if (code == CLBlastSuccess)
        return QK_OK;
    if (code == CLBlastTempBufferAllocFailure || code == CLBlastOpenCLOutOfResources)
        st = QK_NO_DEVICE_MEMORY;
    else if (code == CLBlastOpenCLOutOfHostMemory)
        st = QK_NO_MEMORY;
    return qk_error_set(error, st, "device %s: CLBlast answers %d for a product of %zux%zux%zu",
                        qk__device_info(state->device)->id, (int)code, gemm->m, gemm->n, gemm->k);
}

qk_status qk__cl_gemm_temp_bytes(struct qk__cl_state *state, const struct qk__cl_gemm *gemm,
                                 size_t *out_bytes, struct qk_error *error)
{
    cl_command_queue queue = qk__device_native_queue(state->device, QK_QUEUE_COMPUTE);

    *out_bytes = 0;
    return status_of(state, gemm,
                     CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transpose_of(gemm->trans_a),
                                                transpose_of(gemm->trans_b), gemm->m, gemm->n,
                                                gemm->k, 0, gemm->a_ld, 0, gemm->b_ld, 0, gemm->n,
                                                &queue, out_bytes),
                     error);
}

static size_t floats_to(struct qk__cl_exec *exec, const struct qk__cl_slot *slot, uint32_t value,
                        size_t at, cl_mem *out_memory)
{
    size_t offset;

    *out_memory = qk__buffer_native(qk__cl_buffer_of(exec, slot, value, &offset));
    return offset / sizeof(float) + at;
}

qk_status qk__cl_gemm_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                              const struct qk__cl_gemm *gemm, struct qk_error *error)
{
    cl_command_queue queue = qk__device_native_queue(exec->state->device, QK_QUEUE_COMPUTE);
    cl_mem           temp = exec->gemm_temp != NULL ? qk__buffer_native(exec->gemm_temp) : NULL;
    cl_mem           a, b, c;
    const size_t     a_at = floats_to(exec, slot, gemm->a, gemm->a_at, &a);
    const size_t     b_at = floats_to(exec, slot, gemm->b, gemm->b_at, &b);
    const size_t     c_at = floats_to(exec, slot, gemm->c, gemm->c_at, &c);

    return status_of(exec->state, gemm,
                     CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, transpose_of(gemm->trans_a),
                                                transpose_of(gemm->trans_b), gemm->m, gemm->n,
                                                gemm->k, gemm->alpha, a, a_at, gemm->a_ld, b, b_at,
                                                gemm->b_ld, gemm->beta, c, c_at, gemm->n, &queue,
                                                NULL, temp),
                     error);
}
