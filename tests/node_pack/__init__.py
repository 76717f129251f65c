"""Custom nodes for the tests' own server, which also make it fast enough to run hundreds of items."""

import gc
import time

from invokeai.app.services.session_processor.session_processor_common import CanceledException
from invokeai.invocation_api import (
    BaseInvocation,
    InputField,
    IntegerOutput,
    InvocationContext,
    invocation,
)

# The server collects garbage before each item, which takes half a second over all that it has imported by now. What
# is frozen is not looked at again.
gc.collect()
gc.freeze()


@invocation("test_sleep", title="Test Sleep", category="test", version="1.0.0", use_cache=False)
class TestSleepInvocation(BaseInvocation):
    """Takes its time, tells its progress, and fails where it is told to."""

    steps: int = InputField(default=1, ge=1, description="How many steps to take")
    seconds: float = InputField(default=0.1, ge=0, description="How long all steps take together")
    fail_at: int = InputField(default=-1, description="The step at which to fail; below 0 for none")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        for step in range(self.steps):
            if step == self.fail_at:
                raise RuntimeError(f"told to fail at step {step}")
            end = time.monotonic() + self.seconds / self.steps
            while (left := end - time.monotonic()) > 0:
                if context.util.is_canceled():
                    raise CanceledException
                time.sleep(min(left, 0.02))
            context.util.signal_progress("Sleeping", (step + 1) / self.steps)
        return IntegerOutput(value=self.steps)
