#include "config/manifests/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <spanstream>
#include <unordered_map>

namespace aquifer::manifests {
namespace {

// Below this many keys a plain comparison of all pairs is the quicker way to find a repeated one.
constexpr std::size_t kKeysComparedPlainly = 16;

// Ends the parse from inside a callback; never leaves this file.
struct LimitReached {
  YamlError error;
};

std::uint32_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 0 : static_cast<std::uint32_t>(mark.line) + 1;
}

// Takes yaml-cpp's events and builds one document at a time.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const YamlLimits& limits) : limits_(limits) {}

  // The number of nodes counts for the whole file.
  void start_document() {
    document_ = {};
    open_.clear();
    anchors_.clear();
  }
  [[nodiscard]] const YamlNode* root() const { return document_.root; }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(*make(YamlKind::null, mark, anchor), mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode* node = make(YamlKind::scalar, mark, anchor);
    node->text = value;
    attach(*node, mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) refuse(mark, "an alias to nothing");
    if (std::ranges::find(open_, known->second) != open_.end()) {
      refuse(mark, "an alias to what it stands in");
    }
    attach(*known->second, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::sequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::map, mark, anchor);
  }
  void OnMapEnd() override {
    check_keys(*open_.back());
    close();
  }

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark, std::string text) {
    throw LimitReached{{line_of(mark), std::move(text)}};
  }

  YamlNode* make(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (++nodes_ > limits_.nodes) {
      refuse(mark, fmt::format("more than {} values in one file: split it", limits_.nodes));
    }
    YamlNode& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.line = line_of(mark);
    if (anchor != 0) anchors_[anchor] = &node;
    return &node;
  }

  void open(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= limits_.depth) {
      refuse(mark, fmt::format("nested deeper than {} levels", limits_.depth));
    }
    open_.push_back(make(kind, mark, anchor));
  }

  void close() {
    YamlNode* node = open_.back();
    open_.pop_back();
    const YAML::Mark unknown = YAML::Mark::null_mark();
    attach(*node, unknown);
  }

  // Hangs a finished node below the innermost open one, or makes it the root.
  void attach(const YamlNode& node, const YAML::Mark& mark) {
    if (open_.empty()) {
      document_.root = &node;
      return;
    }
    YamlNode& parent = *open_.back();
    const bool is_key = parent.kind == YamlKind::map && parent.children.size() % 2 == 0;
    if (is_key && node.kind != YamlKind::scalar) {
      refuse_at(node, mark, "a key must be plain text");
    }
    if (is_key && node.text == "<<") {
      refuse_at(node, mark, "merge keys (<<) are not read: write the fields out");
    }
    parent.children.push_back(&node);
    parent.height =
        std::max<std::uint8_t>(parent.height, static_cast<std::uint8_t>(node.height + 1));
    parent.expanded += node.expanded;
    // Only an alias can bring more than the depth and node limits above let through.
    if (open_.size() + node.height > limits_.depth) {
      refuse_at(node, mark, fmt::format("nested deeper than {} levels", limits_.depth));
    }
    if (parent.expanded > limits_.expanded_nodes) {
      refuse_at(node, mark,
                fmt::format("aliases expand to more than {} values: write less by alias",
                            limits_.expanded_nodes));
    }
  }

  [[noreturn]] static void refuse_at(const YamlNode& node, const YAML::Mark& mark,
                                     std::string text) {
    throw LimitReached{{mark.is_null() ? node.line : line_of(mark), std::move(text)}};
  }

  static void refuse_repeated(const YamlNode& first, const YamlNode& second) {
    throw LimitReached{
        {second.line, fmt::format("the key \"{}\" stands here again, first on line {}: keep one",
                                  first.text, first.line)}};
  }

  static void check_keys(const YamlNode& map) {
    if (map.children.size() / 2 <= kKeysComparedPlainly) {
      for (std::size_t i = 2; i < map.children.size(); i += 2) {
        for (std::size_t j = 0; j < i; j += 2) {
          if (map.children[i]->text == map.children[j]->text) {
            refuse_repeated(*map.children[j], *map.children[i]);
          }
        }
      }
      return;
    }
    std::unordered_map<std::string_view, const YamlNode*> seen;
    for (std::size_t i = 0; i < map.children.size(); i += 2) {
      const auto [at, added] = seen.emplace(map.children[i]->text, map.children[i]);
      if (!added) refuse_repeated(*at->second, *map.children[i]);
    }
  }

  const YamlLimits limits_;
  YamlDocument document_;
  // The collections that have begun and not ended, the innermost last.
  std::vector<YamlNode*> open_;
  std::unordered_map<YAML::anchor_t, YamlNode*> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const noexcept {
  if (kind != YamlKind::map) return nullptr;
  for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
    if (children[i]->text == key) return children[i + 1];
  }
  return nullptr;
}

std::expected<void, YamlError> for_each_document(
    const std::string& text, const std::function<void(const YamlNode& root)>& use,
    const YamlLimits& limits) {
  try {
    std::ispanstream stream{std::span<const char>(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(limits);
    std::size_t documents = 0;
    builder.start_document();
    while (parser.HandleNextDocument(builder)) {
      if (++documents > limits.documents) {
        return std::unexpected(YamlError{
            0, fmt::format("more than {} documents in one file: split it", limits.documents)});
      }
      if (builder.root() != nullptr) use(*builder.root());
      builder.start_document();
    }
    return {};
  } catch (const LimitReached& limit) {
    return std::unexpected(limit.error);
  } catch (const YAML::Exception& error) {
    return std::unexpected(YamlError{line_of(error.mark), "not YAML: " + error.msg});
  } catch (const std::exception& error) {
    return std::unexpected(YamlError{0, fmt::format("not YAML: {}", error.what())});
  }
}

}  // namespace aquifer::manifests
