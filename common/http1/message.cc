#include "common/http1/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace aquifer::http1 {
namespace {

bool is_target(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool are_writable(const Fields& fields) noexcept {
  return std::ranges::all_of(
      fields, [](const Field& f) { return is_token(f.name) && is_field_value(f.value); });
}

}  // namespace

Status append_field_lines(std::string& out, const Fields& fields) {
  if (!are_writable(fields)) return fail(Errc::invalid, "writing fields");
  for (const Field field : fields)
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  return {};
}

Status begin_response_head(std::string& out, int status, const Fields& fields) {
  if (status < 100 || status > 999 || !are_writable(fields))
    return fail(Errc::invalid, "writing a response head");
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status,
                 http::reason_phrase(status));
  return append_field_lines(out, fields);
}

Status append_response_head(std::string& out, int status, const Fields& fields) {
  TRY_VOID(begin_response_head(out, status, fields));
  out.append("\r\n");
  return {};
}

Status begin_request_head(std::string& out, std::string_view method, std::string_view target) {
  if (!is_token(method) || !is_target(target)) return fail(Errc::invalid, "writing a request head");
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  return {};
}

Status append_request_head(std::string& out, std::string_view method, std::string_view target,
                           const Fields& fields) {
  if (!are_writable(fields)) return fail(Errc::invalid, "writing a request head");
  TRY_VOID(begin_request_head(out, method, target));
  TRY_VOID(append_field_lines(out, fields));
  out.append("\r\n");
  return {};
}

void append_chunk(std::string& out, ByteView bytes) {
  if (bytes.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out.append(as_text(bytes)).append("\r\n");
}

void append_last_chunk(std::string& out) {
  out.append("0\r\n\r\n");
}

}  // namespace aquifer::http1
