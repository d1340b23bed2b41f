#include "common/http2/head_reader.h"

#include <algorithm>

namespace aquifer::http2 {
namespace {

// RFC 9113 section 6.5.2: what a field costs beside its bytes.
constexpr std::size_t kFieldOverhead = 32;

// No blank or control character, which would end the request line of HTTP/1.1 early, and no
// fragment, which two readers may take differently.
bool is_path(std::string_view path) noexcept {
  return std::ranges::all_of(path, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && byte != '#';
  });
}

// RFC 9113 section 8.3.1: no userinfo. Blanks, slashes and the like cannot be part of a host.
bool is_authority(std::string_view authority) noexcept {
  return !authority.empty() && std::ranges::all_of(authority, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f &&
           std::string_view("@/\\?#\"<>`{}|^,").find(c) == std::string_view::npos;
  });
}

void set_pseudo(http::RequestHead& head, std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 5: head.path = value; break;        // :path
    case 10: head.authority = value; break;  // :authority
    case 9: head.upgrade = value; break;     // :protocol
    default: (name[1] == 'm' ? head.method : head.scheme) = value;
  }
}

}  // namespace

void HeadReader::begin() noexcept {
  bytes_ = 0;
  fields_ = 0;
  verdict_ = HeadVerdict::good;
  host_.clear();
  cookies_.clear();
}

bool HeadReader::admit(std::string_view name, std::string_view value) noexcept {
  bytes_ += name.size() + value.size() + kFieldOverhead;
  if (bytes_ > limits_.bytes_max || ++fields_ > limits_.fields_max)
    verdict_ = HeadVerdict::too_large;
  return verdict_ == HeadVerdict::good;
}

void HeadReader::request_field(http::RequestHead& head, std::string_view name,
                               std::string_view value) {
  if (!admit(name, value)) return;
  if (name.front() == ':') return set_pseudo(head, name, value);
  if (name == "host") {
    host_ = value;
  } else if (name == "cookie") {
    if (!cookies_.empty()) cookies_.append("; ");
    cookies_.append(value);
  } else if (name == "content-length") {
    head.content_length = http::parse_content_length(value);
  } else {
    head.fields.add(name, value);
  }
}

void HeadReader::response_field(http::ResponseHead& head, std::string_view name,
                                std::string_view value) {
  if (!admit(name, value)) return;
  if (name == ":status") {
    // Three digits: nghttp2 looked.
    for (const char digit : value) head.status = head.status * 10 + (digit - '0');
  } else if (name == "content-length") {
    head.content_length = http::parse_content_length(value);
  } else {
    head.fields.add(name, value);
  }
}

void HeadReader::trailer_field(HeaderFields& trailers, std::string_view name,
                               std::string_view value) {
  if (!admit(name, value)) return;
  // RFC 9110 section 6.5.1: framing and routing were decided by the head.
  if (name == "content-length" || name == "host" || name == "te") return;
  trailers.add(name, value);
}

HeadVerdict HeadReader::end_request(http::RequestHead& head) {
  if (verdict_ != HeadVerdict::good) return verdict_;
  head.version = http::Version::http_2;
  // Two names for the server, and each reader behind us could take another one.
  if (head.authority.empty()) {
    head.authority = host_;
  } else if (!host_.empty() && !equal_without_case(host_, head.authority)) {
    return HeadVerdict::malformed;
  }
  if (!is_authority(head.authority) || !is_token(head.method)) return HeadVerdict::malformed;
  if (!cookies_.empty()) head.fields.add("cookie", cookies_);
  if (head.method == "CONNECT") {
    head.content_length.reset();
    if (head.upgrade.empty()) return HeadVerdict::good;
    // RFC 8441 section 4
    head.method = "GET";
  }
  if (!head.upgrade.empty() && !is_token(head.upgrade)) return HeadVerdict::malformed;
  if (equal_without_case(head.scheme, "https")) {
    head.scheme = "https";
  } else if (equal_without_case(head.scheme, "http")) {
    head.scheme = "http";
  } else {
    return HeadVerdict::malformed;
  }
  const bool whole_server = head.path == "*" && head.method == "OPTIONS";
  if (!whole_server && !head.path.starts_with('/')) return HeadVerdict::malformed;
  return is_path(head.path) ? HeadVerdict::good : HeadVerdict::malformed;
}

HeadVerdict HeadReader::end_response(http::ResponseHead& head) {
  if (verdict_ != HeadVerdict::good) return verdict_;
  head.version = http::Version::http_2;
  return head.status >= 100 ? HeadVerdict::good : HeadVerdict::malformed;
}

}  // namespace aquifer::http2
