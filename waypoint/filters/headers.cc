#include "waypoint/filters/headers.h"

#include <algorithm>
#include <charconv>

namespace aquifer::waypoint {
namespace {

std::string_view host_of(std::string_view authority) noexcept {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? authority.substr(0, colon) : authority;
}

std::uint16_t port_of(std::string_view authority) noexcept {
  const std::string_view host = host_of(authority);
  if (host.size() == authority.size()) return 0;
  const std::string_view digits = authority.substr(host.size() + 1);
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

std::uint16_t usual_port(std::string_view scheme) noexcept {
  return scheme == "https" ? 443 : 80;
}

std::string replace_prefix(std::string_view path, std::size_t matched, std::string_view with) {
  const std::string_view rest = path.substr(std::min(matched, path.size()));
  std::string out(with);
  // Gateway API, HTTPPathModifier: "/a" -> "/" of "/a/b" is "/b", of "/a" is "/".
  if (out.ends_with('/') && rest.starts_with('/')) out.pop_back();
  if (!out.ends_with('/') && !rest.empty() && !rest.starts_with('/') && !rest.starts_with('?') &&
      matched > 0 && path[matched - 1] == '/') {
    out.push_back('/');
  }
  out.append(rest);
  if (!out.starts_with('/')) out.insert(0, "/");
  return out;
}

}  // namespace

void change_headers(const l7::HeaderChanges& changes, HeaderFields& fields) {
  for (const l7::HeaderChange& change : changes) {
    switch (change.how) {
      case l7::HeaderChange::How::set: fields.set(change.name, change.value); break;
      case l7::HeaderChange::How::add: fields.add(change.name, change.value); break;
      case l7::HeaderChange::How::remove: fields.remove(change.name); break;
    }
  }
}

std::string rewritten_path(const l7::PathRewrite& rewrite, const l7::PathMatch& match,
                           std::string_view path) {
  const std::size_t mark = std::min(path.find('?'), path.size());
  const std::string_view only = path.substr(0, mark);
  const std::string_view query = path.substr(mark);
  std::string out;
  switch (rewrite.kind) {
    case l7::PathRewrite::Kind::none: return std::string(path);
    case l7::PathRewrite::Kind::full: out = rewrite.text; break;
    case l7::PathRewrite::Kind::prefix:
      out = replace_prefix(
          only, match.kind == l7::PathMatch::Kind::exact ? only.size() : match.text.size(),
          rewrite.text);
      break;
    case l7::PathRewrite::Kind::regex: out = rewrite.regex.replace_all(only, rewrite.text); break;
  }
  return out.append(query);
}

LocalReply redirect_reply(const l7::Redirect& redirect, const l7::PathMatch& match,
                          const http::RequestHead& request) {
  const std::string_view old_scheme =
      request.scheme.empty() ? std::string_view("http") : std::string_view(request.scheme);
  const std::string_view scheme =
      redirect.scheme.empty() ? old_scheme : std::string_view(redirect.scheme);
  const std::string_view host = redirect.authority.empty() ? host_of(request.authority)
                                                           : std::string_view(redirect.authority);
  std::uint16_t port = redirect.port;
  if (port == 0) port = redirect.scheme.empty() ? port_of(request.authority) : usual_port(scheme);
  std::string location(scheme);
  location.append("://").append(host);
  if (port != 0 && port != usual_port(scheme)) location.append(":").append(std::to_string(port));
  location.append(rewritten_path(redirect.path, match, request.path));
  LocalReply reply;
  reply.status = redirect.status;
  reply.details = "direct_response";
  reply.fields.add("location", location);
  return reply;
}

}  // namespace aquifer::waypoint
