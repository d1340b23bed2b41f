#include "common/hbone/traceparent.h"

#include <algorithm>
#include <span>

namespace aquifer::hbone {
namespace {

constexpr std::size_t kLength = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2

void put_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  // Upper case is not allowed by the format.
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// False for anything but hex digits, and for zeros only.
bool take_hex(std::string_view text, std::span<std::uint8_t> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>((high << 4) | low);
  }
  return std::any_of(out.begin(), out.end(), [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace

std::string TraceContext::trace_id_text() const {
  std::string out;
  out.reserve(2 * trace_id.size());
  put_hex(out, trace_id);
  return out;
}

std::string TraceContext::to_string() const {
  std::string out;
  out.reserve(kLength);
  out += "00-";
  put_hex(out, trace_id);
  out += '-';
  put_hex(out, span_id);
  out += "-00";
  return out;
}

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() != kLength || !text.starts_with("00-") || text[35] != '-' || text[52] != '-')
    return {};
  TraceContext context;
  if (!take_hex(text.substr(3, 32), context.trace_id) ||
      !take_hex(text.substr(36, 16), context.span_id))
    return {};
  if (digit(text[53]) < 0 || digit(text[54]) < 0) return {};
  return context;
}

}  // namespace aquifer::hbone
