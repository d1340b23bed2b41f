// All manifests together -> the model: who is enrolled, what serves what, and what contradicts
// what. Pure.
#pragma once

#include "config/manifests/diagnostic.h"
#include "config/manifests/lint/locate.h"
#include "config/manifests/mesh_source.h"
#include "config/manifests/objects.h"
#include "config/model/store.h"

#include <span>
#include <string>
#include <vector>

namespace aquifer::manifests {

/// What is wrong is added to `report`; with errors in it the result is not to be used. With
/// `findings`, what may be said and still bites (lint/lint.h) is looked for, too, and told there.
[[nodiscard]] model::FullState assemble(std::span<const FileObjects* const> files,
                                        const LoadOptions& options, Report& report,
                                        std::vector<Finding>* findings = nullptr);

}  // namespace aquifer::manifests
