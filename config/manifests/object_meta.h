// Where an object stands and what it is called: the same for every kind.
#pragma once

#include "config/manifests/fields.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Where an object stands.
struct Origin {
  std::shared_ptr<const std::string> file;
  std::uint32_t line = 0;
};

struct Metadata {
  std::string ns;
  std::string name;
  std::string uid;
  /// creationTimestamp, as it is written: RFC 3339, so that text compares as time does.
  std::string created;
  StringMap labels;
  /// Only those that are read somewhere: dumps carry whole manifests in annotations.
  StringMap annotations;
  /// The owner that controls the object, if any.
  std::string owner_kind;
  std::string owner_name;
  bool deleting = false;
  Origin origin;

  /// Null when there is no such label.
  [[nodiscard]] const std::string* label(std::string_view name) const;
  [[nodiscard]] const std::string* annotation(std::string_view name) const;
};

}  // namespace aquifer::manifests
