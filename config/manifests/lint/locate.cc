#include "config/manifests/lint/locate.h"

#include "config/manifests/yaml_tree.h"

#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

namespace aquifer::manifests {
namespace {

using Path = std::span<const std::string>;

// One name of a path: "to", or "to[1]" for one item of the list.
struct Step {
  std::string_view name;
  std::optional<std::size_t> index;
};

Step step_of(std::string_view text) {
  const std::size_t open = text.find('[');
  if (open == std::string_view::npos || !text.ends_with(']')) return {text, std::nullopt};
  const std::string_view digits = text.substr(open + 1, text.size() - open - 2);
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {text, std::nullopt};
  return {text.substr(0, open), index};
}

// The first line of `value` below `node`, as a scalar or as a key.
std::optional<std::uint32_t> find_value(const YamlNode& node, const std::string& value) {
  if (node.kind == YamlKind::scalar)
    return node.text == value ? std::optional(node.line) : std::nullopt;
  for (const YamlNode* child : node.children) {
    if (const auto line = find_value(*child, value)) return line;
  }
  return std::nullopt;
}

// Follows the keys of `path`; lists are looked through, first match first.
std::optional<std::uint32_t> find_field(const YamlNode& node, std::uint32_t key_line, Path path,
                                        const std::string& value) {
  if (path.empty()) return value.empty() ? std::optional(key_line) : find_value(node, value);
  if (node.kind == YamlKind::sequence) {
    for (const YamlNode* item : node.children) {
      if (const auto line = find_field(*item, item->line, path, value)) return line;
    }
    return std::nullopt;
  }
  if (node.kind != YamlKind::map) return std::nullopt;
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const YamlNode* key = node.children[i];
    const YamlNode* below = node.children[i + 1];
    if (key->text == path.front()) return find_field(*below, key->line, path.subspan(1), value);
    const Step step = step_of(path.front());
    if (!step.index || key->text != step.name) continue;
    if (below->kind != YamlKind::sequence || *step.index >= below->children.size())
      return std::nullopt;
    const YamlNode* item = below->children[*step.index];
    return find_field(*item, item->line, path.subspan(1), value);
  }
  return std::nullopt;
}

class Locator {
 public:
  explicit Locator(const std::vector<Finding*>& findings) {
    for (Finding* finding : findings) wanted_[finding->diagnostic.line].push_back(finding);
  }

  // Objects stand at the top of a document, or in Lists.
  void look(const YamlNode& node) {
    if (node.kind != YamlKind::map) return;
    if (const YamlNode* items = node.find("items"); items != nullptr) {
      for (const YamlNode* item : items->children) look(*item);
    }
    const auto at = wanted_.find(node.line);
    if (at == wanted_.end()) return;
    for (Finding* finding : at->second) place(*finding, node);
    wanted_.erase(at);
  }

 private:
  static void place(Finding& finding, const YamlNode& object) {
    // The longest beginning of the path that is there.
    for (std::size_t length = finding.path.size(); length > 0; --length) {
      const Path path(finding.path.data(), length);
      const bool whole = length == finding.path.size();
      auto line = find_field(object, object.line, path, whole ? finding.value : std::string());
      if (!line && whole && !finding.value.empty())
        line = find_field(object, object.line, path, "");
      if (!line) continue;
      finding.diagnostic.line = *line;
      return;
    }
  }

  std::unordered_map<std::uint32_t, std::vector<Finding*>> wanted_;
};

}  // namespace

void locate(std::vector<Finding*>& findings, const std::string& text) {
  Locator locator(findings);
  // What cannot be read any more was changed since: the lines of before are the best there are.
  (void)for_each_document(text, [&](const YamlNode& root) { locator.look(root); });
}

}  // namespace aquifer::manifests
