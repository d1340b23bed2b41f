#include "config/model/l7/rewrite.h"

#include <algorithm>

namespace aquifer::l7 {
namespace {

std::size_t matched_bytes(const PathMatch& match, std::string_view path) noexcept {
  switch (match.kind) {
    case PathMatch::Kind::exact: return path.size();
    case PathMatch::Kind::prefix:
    case PathMatch::Kind::segment_prefix: return std::min(match.text.size(), path.size());
    case PathMatch::Kind::any:
    case PathMatch::Kind::regex: return 0;
  }
  return 0;
}

struct HostAndPort {
  std::string_view host;
  std::string_view port;  // empty: none
};

HostAndPort split(std::string_view authority) noexcept {
  const std::size_t colon = authority.rfind(':');
  // An IPv6 address in brackets has colons of its own.
  const std::size_t bracket = authority.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
    return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

bool is_well_known(std::string_view scheme, std::string_view port) noexcept {
  return (scheme == "http" && port == "80") || (scheme == "https" && port == "443");
}

}  // namespace

std::string rewritten_path(const PathRewrite& rewrite, const PathMatch& match,
                           std::string_view path) {
  const std::size_t mark = std::min(path.find('?'), path.size());
  const std::string_view only = path.substr(0, mark);
  std::string result;
  switch (rewrite.kind) {
    case PathRewrite::Kind::none: return std::string(path);
    case PathRewrite::Kind::full: result = rewrite.text; break;
    case PathRewrite::Kind::prefix: {
      const std::string_view rest = only.substr(matched_bytes(match, only));
      result = rewrite.text;
      if (result.ends_with('/') && rest.starts_with('/')) result.pop_back();
      result += rest;
      break;
    }
    case PathRewrite::Kind::regex: result = rewrite.regex.replace_all(only, rewrite.text); break;
  }
  if (!result.starts_with('/')) result.insert(result.begin(), '/');
  return result.append(path.substr(mark));
}

std::string redirect_location(const Redirect& redirect, const PathMatch& match,
                              const RedirectedRequest& request) {
  const std::string_view scheme =
      redirect.scheme.empty() ? request.scheme : std::string_view(redirect.scheme);
  const HostAndPort came = split(request.authority);
  std::string port;
  if (redirect.port != 0) {
    port = std::to_string(redirect.port);
  } else if (redirect.scheme.empty()) {
    port = came.port;
  }
  std::string location(scheme);
  location.append("://");
  location.append(redirect.authority.empty() ? came.host : std::string_view(redirect.authority));
  if (!port.empty() && !is_well_known(scheme, port)) location.append(":").append(port);
  return location.append(rewritten_path(redirect.path, match, request.path));
}

}  // namespace aquifer::l7
