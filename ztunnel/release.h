// `ztunnel release`: for uninstalling. Blocking; no proxy runs on the node any more, or it will be
// in the way.
#pragma once

#include "ztunnel/settings.h"

namespace aquifer::ztunnel {

/// Takes the capture rules out of every pod of this node that the mesh knows, in or out of the
/// mesh. Returns the exit code; says per pod what was done.
[[nodiscard]] int release_node(const Settings& settings);

}  // namespace aquifer::ztunnel
