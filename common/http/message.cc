#include "common/http/message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace aquifer::http {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};

// RFC 9110 section 15, RFC 6585, RFC 4918.
constexpr std::array kPhrases{
    Phrase{100, "Continue"},
    Phrase{101, "Switching Protocols"},
    Phrase{102, "Processing"},
    Phrase{103, "Early Hints"},
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{203, "Non-Authoritative Information"},
    Phrase{204, "No Content"},
    Phrase{205, "Reset Content"},
    Phrase{206, "Partial Content"},
    Phrase{207, "Multi-Status"},
    Phrase{300, "Multiple Choices"},
    Phrase{301, "Moved Permanently"},
    Phrase{302, "Found"},
    Phrase{303, "See Other"},
    Phrase{304, "Not Modified"},
    Phrase{307, "Temporary Redirect"},
    Phrase{308, "Permanent Redirect"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{402, "Payment Required"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{406, "Not Acceptable"},
    Phrase{407, "Proxy Authentication Required"},
    Phrase{408, "Request Timeout"},
    Phrase{409, "Conflict"},
    Phrase{410, "Gone"},
    Phrase{411, "Length Required"},
    Phrase{412, "Precondition Failed"},
    Phrase{413, "Content Too Large"},
    Phrase{414, "URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Range Not Satisfiable"},
    Phrase{417, "Expectation Failed"},
    Phrase{421, "Misdirected Request"},
    Phrase{422, "Unprocessable Content"},
    Phrase{423, "Locked"},
    Phrase{424, "Failed Dependency"},
    Phrase{425, "Too Early"},
    Phrase{426, "Upgrade Required"},
    Phrase{428, "Precondition Required"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{451, "Unavailable For Legal Reasons"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Gateway Timeout"},
    Phrase{505, "HTTP Version Not Supported"},
    Phrase{507, "Insufficient Storage"},
    Phrase{511, "Network Authentication Required"},
};

// Proxy-Authenticate, Proxy-Authorization and Trailer are of use to the next hop and passed on.
constexpr std::array<std::string_view, 6> kHopByHop{
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"};

}  // namespace

std::string_view name_of(Version version) noexcept {
  switch (version) {
    case Version::http_1_0: return "HTTP/1.0";
    case Version::http_1_1: return "HTTP/1.1";
    case Version::http_2: return "HTTP/2";
  }
  return "-";
}

std::string_view reason_phrase(int status) noexcept {
  const auto* found = std::ranges::lower_bound(kPhrases, status, {}, &Phrase::status);
  return found != kPhrases.end() && found->status == status ? found->text : std::string_view();
}

bool is_idempotent(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

bool is_hop_by_hop(std::string_view name) noexcept {
  return std::ranges::any_of(
      kHopByHop, [&](std::string_view known) { return equal_without_case(known, name); });
}

bool is_decided_by_head(std::string_view name) noexcept {
  return is_hop_by_hop(name) || equal_without_case(name, "content-length") ||
         equal_without_case(name, "host");
}

void remove_hop_by_hop(HeaderFields& fields) {
  std::vector<std::string> named;
  bool any = false;
  bool wants_trailers = false;
  for (const HeaderField field : fields) {
    if (!is_hop_by_hop(field.name)) continue;
    any = true;
    if (equal_without_case(field.name, "te")) {
      wants_trailers = wants_trailers || equal_without_case(field.value, "trailers");
    }
    if (!equal_without_case(field.name, "connection")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      const std::string_view word = trim_blanks(rest.substr(0, comma));
      // Not a way to have a message's framing or addressee taken away from the next reader.
      const bool usual = equal_without_case(word, "close") ||
                         equal_without_case(word, "keep-alive") || is_hop_by_hop(word) ||
                         equal_without_case(word, "content-length") ||
                         equal_without_case(word, "host");
      if (!word.empty() && !usual) named.emplace_back(word);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  if (!any) return;
  fields.remove_if([&](const HeaderField& field) {
    return is_hop_by_hop(field.name) || std::ranges::any_of(named, [&](const std::string& name) {
             return equal_without_case(name, field.name);
           });
  });
  if (wants_trailers) fields.add("te", "trailers");
}

bool has_no_body(int status, std::string_view request_method) noexcept {
  return request_method == "HEAD" || status == 204 || status == 304 ||
         (status >= 100 && status < 200);
}

std::optional<std::uint64_t> parse_content_length(std::string_view text) noexcept {
  std::uint64_t value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_grpc(const HeaderFields& fields) noexcept {
  constexpr std::string_view kType = "application/grpc";
  const auto type = fields.find("content-type");
  if (!type || !type->starts_with(kType)) return false;
  const std::string_view rest = type->substr(kType.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

}  // namespace aquifer::http
