#include "common/admin/handlers.h"

#include "common/base/log.h"

#include <utility>

namespace aquifer::admin {
namespace {

constexpr std::string_view kLoggingHelp =
    "usage: POST /logging                          shows the filter\n"
    "       POST /logging?level=LEVEL              sets the default level\n"
    "       POST /logging?level=TARGET=LEVEL,...   sets the level of targets\n"
    "       POST /logging?reset[&level=...]        goes back to the filter of the start\n"
    "LEVEL is one of off, error, warn, info, debug, trace\n";

// Unlike in the environment, a word that is no level is an error here: "debgu" would be taken for a
// target that says all.
bool has_bare_target(std::string_view text) {
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    std::string_view clause = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (clause.find('=') == std::string_view::npos && !log::parse_level(clause)) return true;
  }
  return false;
}

Response answer_logging(const Request& request, const log::Filter& at_start) {
  if (request.method != "POST") {
    Response refusal = Response::text(405, std::string(kLoggingHelp));
    refusal.fields.add("Allow", "POST");
    return refusal;
  }
  bool reset = request.parameter("reset").has_value();
  std::string_view level = request.parameter("level").value_or("");
  if (reset || !level.empty()) {
    auto changed = (reset ? at_start : log::filter()).with(level);
    if (!changed || has_bare_target(level)) {
      return Response::text(
          400, "invalid level: " + std::string(level) + "\n" + std::string(kLoggingHelp));
    }
    log::set_filter(*changed);
    log::info("admin", "log filter is now {}", changed->to_string());
  }
  return Response::text(200, "current log level is " + log::filter().to_string() + "\n");
}

}  // namespace

void add_readiness(Router& router, const Readiness& readiness) {
  router.add("/healthz/ready", Methods::only_get, "is the program ready?",
             [&readiness](const Request&) { return readiness.answer(); });
}

void add_metrics(Router& router, telemetry::Registry& registry, std::function<MonoTime()> now) {
  Handler handler = [&registry, now = std::move(now)](const Request& request) {
    Response response = Response::text(200, registry.render(now()));
    response.content_type =
        telemetry::metrics_content_type(request.fields.find("accept").value_or(""));
    return response;
  };
  router.add("/metrics", Methods::get, "metrics in OpenMetrics text", handler);
  router.add("/stats/prometheus", Methods::get, "the same", handler);
}

void add_logging(Router& router, log::Filter at_start) {
  // The handler answers other methods itself, with its help.
  router.add("/logging", Methods::any,
             "shows (POST) and changes (POST, ?level=, ?reset) what is logged",
             [at_start = std::move(at_start)](const Request& request) {
               return answer_logging(request, at_start);
             });
}

void add_quit(Router& router, std::function<void()> quit) {
  router.add("/quitquitquit", Methods::post, "starts the graceful end",
             [quit = std::move(quit)](const Request&) {
               quit();
               return Response::text(200, "shutdown now\n");
             });
}

void add_config_dump(Router& router, std::function<std::string()> dump) {
  router.add("/config_dump", Methods::any, "what the program was told, as JSON",
             [dump = std::move(dump)](const Request&) { return Response::json(dump()); });
}

}  // namespace aquifer::admin
