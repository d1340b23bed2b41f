#include "common/hbone/headers.h"

#include "common/base/assert.h"

#include <algorithm>
#include <charconv>

namespace aquifer::hbone {
namespace {

// Bits of HeaderValidator::pseudo_seen_, to notice a second one.
enum Pseudo : std::uint8_t {
  kMethod = 1,
  kScheme = 2,
  kAuthority = 4,
  kPath = 8,
  kProtocol = 16,
  kStatus = 32
};

/// RFC 9113 section 8.2.1: the least that must be refused in a name.
bool valid_name(std::string_view name) noexcept {
  if (name.empty()) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != ':' && !(c >= 'A' && c <= 'Z');
  });
}

/// RFC 9113 section 8.2.1: no NUL, LF, CR; no white space at the ends.
bool valid_value(std::string_view value) noexcept {
  if (value.empty()) return true;
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (blank(value.front()) || blank(value.back())) return false;
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return c == '\0' || c == '\n' || c == '\r'; });
}

/// RFC 9113 section 8.2.2.
bool connection_specific(std::string_view name) noexcept {
  return name == "connection" || name == "proxy-connection" || name == "keep-alive" ||
         name == "transfer-encoding" || name == "upgrade";
}

/// All of `text` as a number.
template <typename T>
bool parse_number(std::string_view text, T& out) noexcept {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

bool valid_host(std::string_view host) noexcept {
  // A name as DNS has it, 253 bytes at most; underscores are seen in the wild.
  if (host.empty() || host.size() > 253) return false;
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

/// Several lines of one list-valued field are one list (RFC 9110 section 5.3).
void join(std::string& list, std::string_view more) {
  if (!list.empty() && !more.empty()) list += ',';
  list += more;
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  if (auto address = SocketAddress::parse(text); address) {
    if (address->port == 0) return fail(Errc::invalid, "authority");
    return Authority(HboneTarget(*address));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Errc::invalid, "authority");
  const std::string_view host = text.substr(0, colon);
  std::uint16_t port = 0;
  if (!valid_host(host) || !parse_number(text.substr(colon + 1), port) || port == 0) {
    return fail(Errc::invalid, "authority");
  }
  return Authority(HostPort{std::string(host), port});
}

std::size_t build_request(const ConnectRequest& request,
                          std::span<HeaderField, kHeaderFieldsMax> out) {
  std::size_t count = 0;
  const auto put = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out[count++] = {name, value};
  };
  put(":method", "CONNECT");
  put(":authority", request.authority);
  put("baggage", request.baggage);
  put("forwarded", request.forwarded);
  put("traceparent", request.traceparent);
  put("x-forwarded-network", request.x_forwarded_network);
  return count;
}

std::size_t build_response(const ConnectResponse& response, std::span<char, 3> status_text,
                           std::span<HeaderField, kHeaderFieldsMax> out) {
  AQUIFER_ASSERT(response.status >= 100 && response.status <= 999);
  std::to_chars(status_text.data(), status_text.data() + status_text.size(), response.status);
  std::size_t count = 0;
  out[count++] = {":status", {status_text.data(), status_text.size()}};
  if (!response.baggage.empty()) out[count++] = {"baggage", response.baggage};
  return count;
}

void HeaderValidator::add(std::string_view name, std::string_view value) {
  if (malformed_) return;
  if (!name.empty() && name.front() == ':') {
    add_pseudo(name, value);
  } else {
    add_regular(name, value);
  }
}

void HeaderValidator::add_pseudo(std::string_view name, std::string_view value) {
  std::uint8_t bit = 0;
  if (kind_ == Kind::request) {
    if (name == ":method") bit = kMethod;
    if (name == ":scheme") bit = kScheme;
    if (name == ":authority") bit = kAuthority;
    if (name == ":path") bit = kPath;
    if (name == ":protocol") bit = kProtocol;
  } else if (kind_ == Kind::response) {
    if (name == ":status") bit = kStatus;
  }
  // RFC 9113 section 8.3: only the defined ones, once, before regular fields.
  if (bit == 0 || (pseudo_seen_ & bit) != 0 || regular_seen_ || !valid_value(value)) {
    malformed_ = true;
    return;
  }
  pseudo_seen_ |= bit;
  switch (bit) {
    case kMethod:
      connect_ = value == "CONNECT";
      malformed_ = value.empty();
      break;
    case kAuthority: request_.authority = value; break;
    case kPath: path_empty_ = value.empty(); break;
    case kStatus:
      response_.status = 0;
      malformed_ =
          value.size() != 3 || !parse_number(value, response_.status) || response_.status < 100;
      break;
    default: break;
  }
}

void HeaderValidator::add_regular(std::string_view name, std::string_view value) {
  regular_seen_ = true;
  if (!valid_name(name) || !valid_value(value) || connection_specific(name) ||
      (name == "te" && value != "trailers")) {
    malformed_ = true;
    return;
  }
  if (kind_ == Kind::response) {
    if (name == "baggage") join(response_.baggage, value);
    return;
  }
  if (kind_ == Kind::trailers) return;
  if (name == "baggage") {
    join(request_.baggage, value);
  } else if (name == "forwarded") {
    join(request_.forwarded, value);
  } else if (name == "traceparent") {
    request_.traceparent = value;
  } else if (name == "x-forwarded-network") {
    request_.x_forwarded_network = value;
  } else if (name == "content-length") {
    std::int64_t length = 0;
    // Two different ones, or none that is a number: RFC 9110 section 8.6.
    malformed_ =
        !parse_number(value, length) || (content_length_ >= 0 && content_length_ != length);
    content_length_ = length;
  }
}

Verdict HeaderValidator::finish() noexcept {
  if (malformed_) return Verdict::malformed;
  if (kind_ == Kind::trailers) return Verdict::ok;
  if (kind_ == Kind::response) {
    if ((pseudo_seen_ & kStatus) == 0 || response_.status == 101) return Verdict::malformed;
    return response_.status < 200 ? Verdict::other : Verdict::ok;
  }
  if ((pseudo_seen_ & kMethod) == 0 || (pseudo_seen_ & kProtocol) != 0) return Verdict::malformed;
  if (connect_) {
    // RFC 9113 section 8.5: neither :scheme nor :path, and a place to go.
    const bool plain = (pseudo_seen_ & (kScheme | kPath)) == 0;
    return plain && !request_.authority.empty() ? Verdict::ok : Verdict::malformed;
  }
  // RFC 9113 section 8.3.1.
  const bool complete =
      (pseudo_seen_ & kScheme) != 0 && (pseudo_seen_ & kPath) != 0 && !path_empty_;
  return complete ? Verdict::other : Verdict::malformed;
}

}  // namespace aquifer::hbone
