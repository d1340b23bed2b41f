// One YAML document as a tree that cannot be made expensive: built from yaml-cpp's events with
// limits on depth, nodes and what aliases expand to; repeated keys are errors. Nothing outside the
// .cc file sees yaml-cpp or its exceptions.
#pragma once

#include "config/manifests/limits.h"

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

enum class YamlKind : std::uint8_t { null, scalar, sequence, map };

struct YamlNode {
  YamlKind kind = YamlKind::null;
  /// Levels below this node; 0 for a leaf.
  std::uint8_t height = 0;
  /// From 1.
  std::uint32_t line = 0;
  /// Nodes of this subtree with aliases written out.
  std::uint32_t expanded = 1;
  /// A scalar's text.
  std::string text;
  /// A sequence's items; a map's keys and values by turns. Keys are scalars.
  std::vector<const YamlNode*> children;

  /// A map's value, or null.
  [[nodiscard]] const YamlNode* find(std::string_view key) const noexcept;
};

/// Owns the nodes of one document.
struct YamlDocument {
  std::deque<YamlNode> nodes;
  const YamlNode* root = nullptr;
};

/// The limits, as limits.h gives their reasons; tests use smaller ones.
struct YamlLimits {
  std::size_t depth = kDepthMax;
  std::size_t nodes = kNodesPerFileMax;
  std::size_t expanded_nodes = kExpandedNodesMax;
  std::size_t documents = kDocumentsPerFileMax;
};

struct YamlError {
  std::uint32_t line = 0;
  std::string text;
};

/// Calls `use` with each document in turn; the document lives during the call only, so that a long
/// file costs the memory of its largest document. The first error ends it.
[[nodiscard]] std::expected<void, YamlError> for_each_document(
    const std::string& text, const std::function<void(const YamlNode& root)>& use,
    const YamlLimits& limits = {});

}  // namespace aquifer::manifests
