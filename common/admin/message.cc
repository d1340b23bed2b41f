#include "common/admin/message.h"

namespace aquifer::admin {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What is no valid escape stands for itself.
std::string decode_form(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string_view> Request::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Request make_request(std::string method, std::string_view target, http1::Fields fields,
                     std::string body) {
  Request request{.method = std::move(method),
                  .path = {},
                  .query = {},
                  .fields = std::move(fields),
                  .body = std::move(body)};
  // RFC 9112 section 3.2.2: servers take the absolute form too.
  if (target.starts_with("http://")) {
    target.remove_prefix(std::string_view("http://").size());
    std::size_t slash = target.find_first_of("/?");
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark == std::string_view::npos) return request;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    std::size_t end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (pair.empty()) continue;
    std::size_t equals = pair.find('=');
    std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    request.query.emplace_back(decode_form(pair.substr(0, equals)), decode_form(value));
  }
  return request;
}

Response Response::text(int status, std::string body) {
  return {.status = status, .body = std::move(body), .source = {}, .fields = {}};
}

Response Response::json(std::string body) {
  return {.content_type = "application/json", .body = std::move(body), .source = {}, .fields = {}};
}

Response Response::html(std::string body) {
  return {.content_type = "text/html; charset=utf-8",
          .body = std::move(body),
          .source = {},
          .fields = {}};
}

Response Response::stream(std::string content_type, std::unique_ptr<BodySource> source) {
  return {.content_type = std::move(content_type),
          .body = {},
          .source = std::move(source),
          .fields = {}};
}

}  // namespace aquifer::admin
