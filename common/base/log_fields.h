// How a line looks: the text form of the peer (columns between tabs, then k=v) or one JSON object.
// Strings are escaped so that one event is one line whatever a peer sends. No state, any thread.
#pragma once

#include "common/base/log_filter.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::log {

enum class Format : std::uint8_t { text, json };

/// The format that init() chose; text before.
[[nodiscard]] Format format() noexcept;

/// Fields of one line, rendered as they are added: `bytes=7 name="a b"` or `"bytes":7,"name":"a
/// b"`. Names are literals of ours and not escaped.
class Fields {
 public:
  explicit Fields(Format format = log::format()) noexcept : format_(format) {}

  /// A string: quoted, with escapes as Rust's Debug has them.
  Fields& str(std::string_view name, std::string_view value);
  /// Something with a plain form of its own (an address): bare in text, a string in JSON.
  Fields& display(std::string_view name, std::string_view value);
  Fields& num(std::string_view name, std::uint64_t value);

  [[nodiscard]] std::string_view rendered() const noexcept { return out_; }

 private:
  void begin(std::string_view name);
  Format format_;
  std::string out_;
};

using WallTime = std::chrono::system_clock::time_point;

/// "2026-11-22T22:37:40.560387Z"
void append_time(std::string& out, WallTime time);
/// Appends one whole line with its newline. `fields` was rendered in the same format.
void append_line(std::string& out, Format format, WallTime time, Level level,
                 std::string_view target, std::string_view message, std::string_view fields);

/// `"..."` with Rust's Debug escapes; bytes that are no UTF-8 become \xNN.
void append_quoted(std::string& out, std::string_view value);
/// `"..."` as RFC 8259 section 7 wants it; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view value);

}  // namespace aquifer::log
