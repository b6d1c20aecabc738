/* What an image has where a volume is mounted. */
#pragma once

#include "stage1/launch.h"

/* Makes the source of a mount with the option `copy`, if it is missing, out of what the layers have at its destination. */
int content_provide(const Launch *launch, const MountPlan *plan, Failure *failure);
