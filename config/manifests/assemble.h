// All manifests together -> the model: who is enrolled, what serves what, and what contradicts
// what. Pure.
#pragma once

#include "config/manifests/diagnostic.h"
#include "config/manifests/mesh_source.h"
#include "config/manifests/objects.h"
#include "config/model/store.h"

#include <span>
#include <string>

namespace aquifer::manifests {

/// What is wrong is added to `report`; with errors in it the result is not to be used.
[[nodiscard]] model::FullState assemble(std::span<const FileObjects* const> files,
                                        const LoadOptions& options, Report& report);

}  // namespace aquifer::manifests
