#include "common/admin/router.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::admin {
namespace {

bool allows(Methods methods, std::string_view method) noexcept {
  switch (methods) {
    case Methods::any: return true;
    case Methods::get: return method == "GET" || method == "HEAD";
    case Methods::only_get: return method == "GET";
    case Methods::post: return method == "POST";
  }
  return false;
}

std::string_view allow_field(Methods methods) noexcept {
  switch (methods) {
    case Methods::any: return "GET, HEAD, POST";
    case Methods::get: return "GET, HEAD";
    case Methods::only_get: return "GET";
    case Methods::post: return "POST";
  }
  return "";
}

coro::Task<Response> answer_with(Handler handler, Request request) {
  co_return handler(request);
}

}  // namespace

void Router::add(std::string path, Methods methods, std::string description, Handler handler) {
  add_async(std::move(path), methods, std::move(description),
            [handler = std::move(handler)](Request request) {
              return answer_with(handler, std::move(request));
            });
}

void Router::add_async(std::string path, Methods methods, std::string description,
                       AsyncHandler handler) {
  routes_.push_back({std::move(path), methods, std::move(description), std::move(handler)});
}

const Router::Route* Router::find(std::string_view path) const noexcept {
  auto route = std::ranges::find(routes_, path, &Route::path);
  return route == routes_.end() ? nullptr : &*route;
}

coro::Task<Response> Router::answer(Request request) const {
  const Route* route = find(request.path);
  if (route == nullptr) co_return Response::text(404, "not found\n");
  if (!allows(route->methods, request.method)) {
    Response refusal = Response::text(405, "method not allowed\n");
    refusal.fields.add("Allow", std::string(allow_field(route->methods)));
    co_return refusal;
  }
  Response response = co_await route->handler(std::move(request));
  co_return response;
}

void Router::add_index(std::string title) {
  add("/", Methods::any, "", [this, title = std::move(title)](const Request&) {
    return Response::html(index_page(title));
  });
}

std::string Router::index_page(std::string_view title) const {
  // Titles, paths and descriptions are ours: nothing to escape.
  std::string rows;
  for (const Route& route : routes_) {
    if (route.description.empty()) continue;
    std::string name = route.methods == Methods::post
                           ? fmt::format("POST {}", route.path)
                           : fmt::format("<a href=\"{}\">{}</a>", route.path.substr(1), route.path);
    rows += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", name, route.description);
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n"
      "<style>body{{font-family:sans-serif;margin:2em}}td{{padding:.2em 1em .2em "
      "0}}</style></head>\n"
      "<body><h1>{0}</h1>\n<table>\n{1}</table></body></html>\n",
      title, rows);
}

}  // namespace aquifer::admin
