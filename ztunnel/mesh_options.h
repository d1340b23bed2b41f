// What the settings say about reading a mesh: the same for the running proxy, `check` and
// `explain`, or they would speak of different meshes.
#pragma once

#include "config/manifests/mesh_source.h"
#include "ztunnel/settings.h"

namespace aquifer::ztunnel {

[[nodiscard]] inline manifests::LoadOptions load_options_of(const Settings& settings) {
  manifests::LoadOptions options;
  options.network = settings.network;
  options.cluster_id = settings.cluster_id;
  options.cluster_domain = settings.cluster_domain;
  return options;
}

}  // namespace aquifer::ztunnel
