#include "common/http2/head_writer.h"

#include <algorithm>
#include <charconv>

namespace aquifer::http2 {
namespace {

nghttp2_nv field(std::string_view name, std::string_view value) noexcept {
  nghttp2_nv nv;
  // nghttp2 only reads; its type serves both directions.
  nv.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  nv.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  nv.namelen = name.size();
  nv.valuelen = value.size();
  nv.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  return nv;
}

// What the head says elsewhere, or belongs to one hop. By length first: most names are none of
// them.
bool stays_behind(std::string_view name) noexcept {
  if (name.empty() || name.front() == ':') return true;
  switch (name.size()) {
    case 2:
    case 7:
    case 10:
    case 16:
    case 17: return http::is_hop_by_hop(name);
    case 4: return equal_without_case(name, "host");
    case 14: return equal_without_case(name, "content-length");
    default: return false;
  }
}

bool is_te_trailers(const HeaderField& f) noexcept {
  return f.name.size() == 2 && equal_without_case(f.name, "te") &&
         equal_without_case(f.value, "trailers");
}

bool is_capital(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}

}  // namespace

std::span<const nghttp2_nv> HeadWriter::request(const http::RequestHead& head) {
  begin(head.fields.bytes());
  const bool extended = !head.upgrade.empty();
  const bool plain_connect = head.method == "CONNECT";
  add(":method", extended ? std::string_view("CONNECT") : std::string_view(head.method));
  if (extended) add(":protocol", head.upgrade);
  if (!plain_connect) add(":scheme", head.scheme.empty() ? "http" : std::string_view(head.scheme));
  add(":authority", head.authority);
  if (!plain_connect) add(":path", head.path.empty() ? "/" : std::string_view(head.path));
  add_fields(head.fields);
  if (head.content_length && !plain_connect && !extended) add_length(*head.content_length);
  return list_;
}

std::span<const nghttp2_nv> HeadWriter::response(const http::ResponseHead& head, int status,
                                                 Length length) {
  begin(head.fields.bytes());
  status_ = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
             static_cast<char>('0' + status % 10)};
  add(":status", {status_.data(), status_.size()});
  add_fields(head.fields);
  if (length == Length::say && head.content_length) add_length(*head.content_length);
  return list_;
}

std::span<const nghttp2_nv> HeadWriter::trailers(const HeaderFields& fields) {
  begin(fields.bytes());
  add_fields(fields);
  return list_;
}

void HeadWriter::begin(std::size_t text_bytes) {
  list_.clear();
  lowered_.clear();
  lowered_.reserve(text_bytes);
}

void HeadWriter::add(std::string_view name, std::string_view value) {
  list_.push_back(field(name, value));
}

void HeadWriter::add_length(std::uint64_t length) {
  const auto end = std::to_chars(length_.begin(), length_.end(), length).ptr;
  add("content-length", {length_.data(), static_cast<std::size_t>(end - length_.data())});
}

void HeadWriter::add_fields(const HeaderFields& fields) {
  const HeaderFields* all = &fields;
  if (fields.contains("connection")) {
    cleaned_ = fields;
    http::remove_hop_by_hop(cleaned_);
    all = &cleaned_;
  }
  for (const HeaderField f : *all) {
    if (!stays_behind(f.name) || is_te_trailers(f)) add(in_lower_case(f.name), f.value);
  }
}

std::string_view HeadWriter::in_lower_case(std::string_view name) {
  if (std::ranges::none_of(name, is_capital)) return name;
  const std::size_t begin = lowered_.size();
  for (const char c : name)
    lowered_.push_back(is_capital(c) ? static_cast<char>(c - 'A' + 'a') : c);
  return std::string_view(lowered_).substr(begin);
}

}  // namespace aquifer::http2
