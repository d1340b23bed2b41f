// Typed access to one map of a manifest: says where a field is missing, mistyped or not known, so
// that the readers of the kinds hold nothing but the meaning of the fields.
#pragma once

#include "config/manifests/diagnostic.h"
#include "config/manifests/yaml_tree.h"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

using StringMap = std::map<std::string, std::string, std::less<>>;

/// Which object is being read, for its diagnostics. The report must outlive it.
struct ObjectContext {
  Report& report;
  std::string file;
  /// "Pod default/client"; may become more exact while the object is read.
  std::string object;
  /// Added to line numbers: YAML inside YAML counts its lines from 1.
  std::uint32_t line_offset = 0;
};

struct TextItem {
  std::string text;
  std::uint32_t line = 0;
};

/// A view of one map, made on the stack; children refer to their parents, which must outlive them.
class Fields {
 public:
  /// `node` may be anything: what is no map is reported and reads as an empty one.
  Fields(ObjectContext& context, const YamlNode& node);

  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  /// False when the field that this map should be is missing or null.
  [[nodiscard]] bool present() const noexcept { return node_ != nullptr; }
  [[nodiscard]] std::uint32_t line() const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept;

  // Each reader marks its field as known. A missing or null field gives nothing; a mistyped one is
  // reported and gives nothing.

  [[nodiscard]] Fields map(std::string_view name);
  [[nodiscard]] std::optional<std::string> text(std::string_view name);
  [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback);
  [[nodiscard]] std::optional<bool> boolean(std::string_view name);
  /// 1 to `maximum`.
  [[nodiscard]] std::optional<std::uint32_t> number(std::string_view name, std::uint32_t maximum);
  [[nodiscard]] std::optional<std::uint16_t> port(std::string_view name);
  [[nodiscard]] std::vector<TextItem> texts(std::string_view name);
  [[nodiscard]] StringMap text_map(std::string_view name);
  /// Calls `use(Fields&)` for each map of a sequence.
  template <typename Use>
  void each(std::string_view name, Use&& use) {
    const YamlNode* list = sequence(name);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->children.size(); ++i) {
      Fields item(*this, name, static_cast<std::int64_t>(i), list->children[i]);
      use(item);
    }
  }
  /// The node itself, for what is read in another way.
  [[nodiscard]] const YamlNode* raw(std::string_view name);

  /// Names fields that exist in Kubernetes and mean nothing here.
  void ignore(std::initializer_list<std::string_view> names);
  /// Warns about every field that was neither read nor ignored. Called last.
  void finish();

  /// The same for kinds where a field that is not understood is a danger: an error for every field
  /// that was neither read nor ignored, and for every one without a value. Returns whether there
  /// was any.
  bool finish_strictly();

  /// Reports about a field of this map, or about the map itself when `name` is empty.
  void error(std::string_view name, std::string text) const;
  void warn(std::string_view name, std::string text) const;
  void error_at(std::uint32_t line, std::string_view name, std::string text) const;
  void warn_at(std::uint32_t line, std::string_view name, std::string text) const;

  [[nodiscard]] ObjectContext& context() const noexcept { return context_; }

 private:
  static constexpr std::int64_t kNoIndex = -1;
  Fields(const Fields& parent, std::string_view name, std::int64_t index, const YamlNode* node);

  // The value of a field, null when it is missing or null; marks it as known.
  const YamlNode* take(std::string_view name);
  const YamlNode* take(std::string_view name, YamlKind kind, std::string_view kind_name);
  const YamlNode* sequence(std::string_view name);
  void report(Severity severity, std::uint32_t line, std::string_view name, std::string text) const;
  [[nodiscard]] std::string path() const;

  ObjectContext& context_;
  const Fields* parent_ = nullptr;
  std::string_view name_;
  std::int64_t index_ = kNoIndex;
  const YamlNode* node_ = nullptr;
  // For each key of the map: is it known?
  std::vector<bool> known_;
};

}  // namespace aquifer::manifests
