// The kinds of the mesh directory: which are read, and which are known but not read yet.
#pragma once

#include <cstdint>
#include <string_view>

namespace aquifer::manifests {

enum class KindState : std::uint8_t {
  read,     ///< has a reader in read_objects.h
  not_yet,  ///< part of the design; this version goes on without it
  unknown,  ///< none of ours
};

/// The API group is what stands before the slash of apiVersion; empty for `v1`.
[[nodiscard]] KindState kind_state(std::string_view api_group, std::string_view kind) noexcept;

}  // namespace aquifer::manifests
