#include "config/manifests/fields.h"

#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace aquifer::manifests {
namespace {

// Of a name in a field's path: enough to recognise it by.
constexpr std::size_t kShownBytesMax = 60;

// The spellings that YAML 1.1, and so kubectl, takes for booleans.
std::optional<bool> parse_boolean(std::string_view text) {
  for (const std::string_view yes :
       {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no :
       {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

bool is_null(const YamlNode* node) {
  return node == nullptr || node->kind == YamlKind::null;
}

}  // namespace

Fields::Fields(ObjectContext& context, const YamlNode& node) : context_(context) {
  if (node.kind == YamlKind::map) {
    node_ = &node;
    known_.resize(node.children.size() / 2);
  } else {
    report(Severity::error, node.line, "", "must be a map of fields");
  }
}

Fields::Fields(const Fields& parent, std::string_view name, std::int64_t index,
               const YamlNode* node)
    : context_(parent.context_), parent_(&parent), name_(name), index_(index) {
  if (is_null(node)) return;
  if (node->kind != YamlKind::map) {
    report(Severity::error, node->line, "", "must be a map of fields");
    return;
  }
  node_ = node;
  known_.resize(node->children.size() / 2);
}

std::uint32_t Fields::line() const noexcept {
  if (node_ != nullptr) return node_->line;
  return parent_ != nullptr ? parent_->line() : 0;
}

bool Fields::has(std::string_view name) const noexcept {
  return node_ != nullptr && !is_null(node_->find(name));
}

const YamlNode* Fields::take(std::string_view name) {
  if (node_ == nullptr) return nullptr;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (node_->children[2 * i]->text != name) continue;
    known_[i] = true;
    const YamlNode* value = node_->children[2 * i + 1];
    return is_null(value) ? nullptr : value;
  }
  return nullptr;
}

const YamlNode* Fields::take(std::string_view name, YamlKind kind, std::string_view kind_name) {
  const YamlNode* value = take(name);
  if (value == nullptr || value->kind == kind) return value;
  report(Severity::error, value->line, name, fmt::format("must be {}", kind_name));
  return nullptr;
}

Fields Fields::map(std::string_view name) {
  return {*this, name, kNoIndex, take(name)};
}

std::optional<std::string> Fields::text(std::string_view name) {
  const YamlNode* value = take(name, YamlKind::scalar, "plain text");
  if (value == nullptr) return std::nullopt;
  return value->text;
}

std::string Fields::text_or(std::string_view name, std::string_view fallback) {
  return text(name).value_or(std::string(fallback));
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const YamlNode* value = take(name, YamlKind::scalar, "true or false");
  if (value == nullptr) return std::nullopt;
  const auto parsed = parse_boolean(value->text);
  if (!parsed) {
    report(Severity::error, value->line, name,
           fmt::format("{} is not a boolean: write true or false", in_quotes(value->text)));
  }
  return parsed;
}

std::optional<std::uint32_t> Fields::number(std::string_view name, std::uint32_t maximum) {
  const YamlNode* value = take(name, YamlKind::scalar, "a number");
  if (value == nullptr) return std::nullopt;
  const std::string& text = value->text;
  std::uint32_t result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  if (!whole || result == 0 || result > maximum) {
    report(Severity::error, value->line, name,
           fmt::format("{} is not a number from 1 to {}", in_quotes(text), maximum));
    return std::nullopt;
  }
  return result;
}

std::optional<std::uint16_t> Fields::port(std::string_view name) {
  const auto value = number(name, 65535);
  if (!value) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

std::vector<TextItem> Fields::texts(std::string_view name) {
  std::vector<TextItem> result;
  const YamlNode* list = sequence(name);
  if (list == nullptr) return result;
  for (const YamlNode* item : list->children) {
    if (item->kind == YamlKind::scalar) {
      result.push_back({item->text, item->line});
    } else {
      report(Severity::error, item->line, name, "must be a list of plain texts");
    }
  }
  return result;
}

StringMap Fields::text_map(std::string_view name) {
  StringMap result;
  const YamlNode* value = take(name, YamlKind::map, "a map of texts");
  if (value == nullptr) return result;
  for (std::size_t i = 0; i + 1 < value->children.size(); i += 2) {
    const YamlNode& key = *value->children[i];
    const YamlNode& item = *value->children[i + 1];
    // Kubernetes takes an empty value as empty text.
    if (item.kind != YamlKind::scalar && item.kind != YamlKind::null) {
      report(Severity::error, item.line, name,
             fmt::format("the value of {} must be plain text", in_quotes(key.text)));
      continue;
    }
    result.emplace(key.text, item.text);
  }
  return result;
}

const YamlNode* Fields::raw(std::string_view name) {
  return take(name);
}

const YamlNode* Fields::sequence(std::string_view name) {
  return take(name, YamlKind::sequence, "a list");
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (std::ranges::find(names, node_->children[2 * i]->text) != names.end()) known_[i] = true;
  }
}

void Fields::finish() {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (known_[i]) continue;
    const YamlNode& key = *node_->children[2 * i];
    report(Severity::warning, key.line, key.text,
           "no such field, it is ignored: look for a misspelling or a wrong indentation");
  }
}

bool Fields::finish_strictly() {
  bool bad = false;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const YamlNode& key = *node_->children[2 * i];
    const bool empty = is_null(node_->children[2 * i + 1]);
    if (known_[i] && !empty) continue;
    bad = true;
    report(Severity::error, key.line, key.text,
           known_[i] ? "has no value: write one, or leave the field out"
                     : "no such field: look for a misspelling or a wrong indentation");
  }
  return bad;
}

void Fields::error(std::string_view name, std::string text) const {
  const YamlNode* value = node_ != nullptr && !name.empty() ? node_->find(name) : nullptr;
  report(Severity::error, value != nullptr ? value->line : line(), name, std::move(text));
}

void Fields::warn(std::string_view name, std::string text) const {
  const YamlNode* value = node_ != nullptr && !name.empty() ? node_->find(name) : nullptr;
  report(Severity::warning, value != nullptr ? value->line : line(), name, std::move(text));
}

void Fields::error_at(std::uint32_t line, std::string_view name, std::string text) const {
  report(Severity::error, line, name, std::move(text));
}

void Fields::warn_at(std::uint32_t line, std::string_view name, std::string text) const {
  report(Severity::warning, line, name, std::move(text));
}

void Fields::report(Severity severity, std::uint32_t line, std::string_view name,
                    std::string text) const {
  std::string field = path();
  if (!name.empty()) {
    if (!field.empty()) field += '.';
    field += name.size() > kShownBytesMax ? name.substr(0, kShownBytesMax) : name;
  }
  context_.report.add({.severity = severity,
                       .file = context_.file,
                       .line = line + context_.line_offset,
                       .object = context_.object,
                       .field = std::move(field),
                       .text = std::move(text)});
}

std::string Fields::path() const {
  if (parent_ == nullptr) return {};
  std::string result = parent_->path();
  if (!result.empty()) result += '.';
  result += name_;
  if (index_ != kNoIndex) result += fmt::format("[{}]", index_);
  return result;
}

}  // namespace aquifer::manifests
