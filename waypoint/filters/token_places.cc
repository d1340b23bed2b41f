#include "waypoint/filters/token_places.h"

#include "config/model/l7/path.h"

#include <string_view>
#include <utility>

namespace aquifer::waypoint {
namespace {

using Place = FoundToken::Place;

// Tokens of one request that are looked at. A client that sends more only wants to cost time: each
// is a signature to check.
constexpr std::size_t kTokensMax = 8;

constexpr std::string_view kTokenCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

void find_in_headers(const l7::TokenHeader& place, const http::RequestHead& head,
                     std::vector<FoundToken>& found) {
  for (const HeaderField field : head.fields) {
    if (!equal_without_case(field.name, place.name)) continue;
    std::string_view value = field.value;
    if (!place.prefix.empty()) {
      // As Envoy does: the prefix may stand anywhere, and the token is what follows it.
      const std::size_t at = value.find(place.prefix);
      if (at == std::string_view::npos) continue;
      const std::size_t begin = value.find_first_of(kTokenCharacters, at + place.prefix.size());
      if (begin != std::string_view::npos) value = value.substr(begin);
    }
    found.push_back({Place::header, place.name, std::string(value)});
  }
}

// Calls `use(part)` for each part of a text between separators.
template <typename Use>
void for_each_part(std::string_view text, char separator, Use&& use) {
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    use(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::pair<std::string_view, std::string_view> split(std::string_view pair) {
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return {pair, {}};
  return {pair.substr(0, equals), pair.substr(equals + 1)};
}

std::string_view query_of(std::string_view path) {
  const std::size_t mark = path.find('?');
  return mark == std::string_view::npos ? std::string_view() : path.substr(mark + 1);
}

// Every one of that name: an application may take another than the first.
void find_in_params(const std::string& name, const http::RequestHead& head,
                    std::vector<FoundToken>& found) {
  for_each_part(query_of(head.path), '&', [&](std::string_view pair) {
    const auto [key, value] = split(pair);
    if (l7::decode_query(key) == name) {
      found.push_back({Place::param, name, l7::decode_query(value)});
    }
  });
}

void find_in_cookies(const std::string& name, const http::RequestHead& head,
                     std::vector<FoundToken>& found) {
  for (const HeaderField field : head.fields) {
    if (!equal_without_case(field.name, "cookie")) continue;
    for_each_part(field.value, ';', [&](std::string_view pair) {
      auto [key, value] = split(trim_blanks(pair));
      if (key != name) return;
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
        value = value.substr(1, value.size() - 2);
      }
      found.push_back({Place::cookie, name, std::string(value)});
    });
  }
}

}  // namespace

std::vector<FoundToken> find_tokens(const l7::TokenRule& rule, const http::RequestHead& head) {
  std::vector<FoundToken> found;
  for (const l7::TokenHeader& place : rule.headers) find_in_headers(place, head, found);
  for (const std::string& name : rule.params) find_in_params(name, head, found);
  for (const std::string& name : rule.cookies) find_in_cookies(name, head, found);
  // One too many is no token at all: whoever reads them refuses the request.
  if (found.size() > kTokensMax) found.assign(1, {Place::header, {}, {}});
  return found;
}

void remove_token(const FoundToken& token, http::RequestHead& head) {
  switch (token.place) {
    case Place::cookie: return;
    case Place::header: head.fields.remove(token.name); return;
    case Place::param: break;
  }
  std::string left;
  for_each_part(query_of(head.path), '&', [&](std::string_view pair) {
    if (l7::decode_query(split(pair).first) == token.name) return;
    if (!left.empty()) left.push_back('&');
    left.append(pair);
  });
  head.path.resize(std::min(head.path.find('?'), head.path.size()));
  if (!left.empty()) head.path.append("?").append(left);
}

}  // namespace aquifer::waypoint
