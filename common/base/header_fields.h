// Header and trailer fields of an HTTP message as one value: all their text in one block, so that a
// message costs two allocations and not two for each field. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer {

/// One field. Views: whoever hands it out says what they point into.
struct HeaderField {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const HeaderField&, const HeaderField&) noexcept = default;
};

/// ASCII only, as field names and tokens are.
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b) noexcept;
/// Without the spaces and tabs at both ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text) noexcept;
/// RFC 9110 section 5.6.2
[[nodiscard]] bool is_token(std::string_view text) noexcept;
/// RFC 9110 section 5.5, without obsolete line folding: no control character but the tab.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

/// Fields in the order of the wire, as they were spelt. Names compare without case. Everything that
/// is handed out is a view that lives until the next change.
class HeaderFields {
 public:
  HeaderFields() = default;
  HeaderFields(std::initializer_list<HeaderField> fields) {
    for (const HeaderField& field : fields) add(field.name, field.value);
  }

  void add(std::string_view name, std::string_view value);
  /// Replaces all of this name by one, in the place of the first; adds it where there is none.
  void set(std::string_view name, std::string_view value);
  /// Takes all of this name out; returns how many there were.
  std::size_t remove(std::string_view name) noexcept;
  /// Takes out what `unwanted(HeaderField)` says.
  template <typename Unwanted>
  void remove_if(Unwanted&& unwanted) {
    std::erase_if(entries_, [&](const Entry& entry) { return unwanted(view(entry)); });
  }
  void clear() noexcept {
    text_.clear();
    entries_.clear();
  }

  /// The first of this name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] bool contains(std::string_view name) const noexcept {
    return find(name).has_value();
  }
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  /// All values of this name in their order, with ", " between them (RFC 9110 section 5.3); none
  /// when there is no such field.
  [[nodiscard]] std::optional<std::string> joined(std::string_view name) const;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// Names and values together.
  [[nodiscard]] std::size_t bytes() const noexcept;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = HeaderField;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = HeaderField;
    Iterator() noexcept = default;
    Iterator(const HeaderFields* fields, std::size_t at) noexcept : fields_(fields), at_(at) {}
    [[nodiscard]] HeaderField operator*() const noexcept {
      return fields_->view(fields_->entries_[at_]);
    }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++at_;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) noexcept = default;

   private:
    const HeaderFields* fields_ = nullptr;
    std::size_t at_ = 0;
  };
  [[nodiscard]] Iterator begin() const noexcept { return {this, 0}; }
  [[nodiscard]] Iterator end() const noexcept { return {this, entries_.size()}; }

  /// The same fields in the same order.
  friend bool operator==(const HeaderFields& a, const HeaderFields& b) noexcept;

 private:
  // Limits of messages keep a head far below 4 GiB.
  struct Entry {
    std::uint32_t begin = 0;
    std::uint32_t name_bytes = 0;
    std::uint32_t value_bytes = 0;
  };
  [[nodiscard]] HeaderField view(const Entry& entry) const noexcept {
    const std::string_view text(text_);
    return {text.substr(entry.begin, entry.name_bytes),
            text.substr(entry.begin + entry.name_bytes, entry.value_bytes)};
  }
  [[nodiscard]] Entry append(std::string_view name, std::string_view value);

  std::string text_;  // name, value, name, value; what was removed stays until clear()
  std::vector<Entry> entries_;
};

/// Is `token` one of the comma-separated words of the fields of this name, without case?
[[nodiscard]] bool lists_token(const HeaderFields& fields, std::string_view name,
                               std::string_view token) noexcept;

}  // namespace aquifer
