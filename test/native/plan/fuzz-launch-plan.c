/* libFuzzer target, and with fuzz-replay.c an ordinary test: whatever the bytes, parsing ends, frees what it took, and
 * a refusal has a sentence. To fuzz:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -std=gnu17 -Inative \
 *     test/native/plan/fuzz-launch-plan.c native/plan/[a-z]*.c native/json/[a-z]*.c native/basic/[a-z]*.c -o fuzz
 *   ./fuzz -max_len=4096 CORPUS test/golden/plans/valid test/golden/plans/invalid
 */
#include <stdint.h>
#include <stdlib.h>

#include "basic/cleanup.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_launch_plan_ LaunchPlan *plan = NULL;
    _cleanup_sandbox_plan_ SandboxPlan *sandbox = NULL;
    _cleanup_free_ char *sentence = NULL;
    _cleanup_free_ char *other = NULL;
    if (launch_plan_parse((const char *)data, size, &plan, &sentence) < 0 && !sentence)
        abort();
    if (sandbox_plan_parse((const char *)data, size, &sandbox, &other) < 0 && !other)
        abort();
    return 0;
}
