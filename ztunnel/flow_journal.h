// FlowJournal: what happens to connections, for whoever follows (common/admin/journal.h).
#pragma once

#include "common/admin/journal.h"
#include "ztunnel/flow_event.h"

namespace aquifer::ztunnel {

using FlowBatch = admin::Batch<FlowEvent>;
using FlowJournal = admin::Journal<FlowEvent>;

}  // namespace aquifer::ztunnel
