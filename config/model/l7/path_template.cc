#include "config/model/l7/path_template.h"

#include <algorithm>
#include <cstddef>

namespace aquifer::l7 {
namespace {

constexpr std::string_view kOne = "{*}";
constexpr std::string_view kRest = "{**}";

}  // namespace

bool PathTemplate::is_template(std::string_view text) noexcept {
  return text.contains(kOne) || text.contains(kRest);
}

Result<PathTemplate> PathTemplate::parse(std::string_view text) {
  PathTemplate result;
  result.text_ = text;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) result.pieces_.push_back({Kind::literal, std::move(literal)});
    literal.clear();
  };
  bool rest_seen = false;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t slash = std::min(text.find('/', at), text.size());
    const std::string_view segment = text.substr(at, slash - at);
    if (segment == kOne || segment == kRest) {
      if (rest_seen)
        return fail(Errc::invalid, "a path template: nothing may stand for a part behind {**}");
      rest_seen = segment == kRest;
      end_literal();
      result.pieces_.push_back({segment == kOne ? Kind::segment : Kind::rest, {}});
    } else if (segment.find_first_of("{}*") != std::string_view::npos) {
      return fail(Errc::invalid, "a path template: {*} and {**} must be whole segments");
    } else {
      literal.append(segment);
    }
    if (slash < text.size()) literal.push_back('/');
    at = slash + 1;
  }
  end_literal();
  return result;
}

bool PathTemplate::matches(std::string_view path) const noexcept {
  if (pieces_.empty()) return false;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    switch (piece.kind) {
      case Kind::literal:
        if (!path.starts_with(piece.text)) return false;
        path.remove_prefix(piece.text.size());
        break;
      case Kind::segment: {
        const std::size_t end = std::min(path.find('/'), path.size());
        if (end == 0) return false;
        path.remove_prefix(end);
        break;
      }
      case Kind::rest:
        // At most one literal is behind it.
        return i + 1 == pieces_.size() || path.ends_with(pieces_[i + 1].text);
    }
  }
  return path.empty();
}

std::string_view PathTemplate::prefix() const noexcept {
  if (pieces_.empty() || pieces_.front().kind != Kind::literal) return {};
  return pieces_.front().text;
}

std::string PathTemplate::example() const {
  std::string path;
  for (const Piece& piece : pieces_) {
    path += piece.kind == Kind::literal ? piece.text : "x";
  }
  return path;
}

}  // namespace aquifer::l7
