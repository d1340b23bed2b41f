#include "config/model/l7/request_view.h"

#include "config/model/l7/path.h"

#include <utility>

namespace aquifer::l7 {

std::optional<std::string_view> RequestView::header(std::string_view name,
                                                    std::string& scratch) const {
  if (name.starts_with(':')) {
    if (name == ":method") return method;
    if (name == ":authority") return authority;
    if (name == ":path") return path;
    if (name == ":scheme") return scheme;
    return std::nullopt;
  }
  // HTTP/1.1 carries it as Host, and routes may ask for it so.
  if (equal_without_case(name, "host")) return authority;
  if (headers.count(name) <= 1) return headers.find(name);
  auto all = headers.joined(name);
  scratch = std::move(*all);
  return scratch;
}

std::optional<std::string_view> RequestView::query(std::string_view name,
                                                   std::string& scratch) const {
  const std::size_t mark = path.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  for (std::string_view rest = path.substr(mark + 1); !rest.empty();) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (decode_query(pair.substr(0, equals)) == name) {
      const auto value =
          equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
      scratch = decode_query(value);
      return scratch;
    }
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return std::nullopt;
}

}  // namespace aquifer::l7
