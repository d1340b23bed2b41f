#include "common/admin/handlers.h"

#include "common/base/log.h"

#include <expected>
#include <utility>

namespace aquifer::admin {
namespace {

// Made in a fraction of a millisecond; all that is in memory of a scrape, however long it is.
constexpr std::size_t kScrapePieceBytes = 256 * 1024;

class ScrapeBody final : public BodySource {
 public:
  ScrapeBody(std::string first, telemetry::Scrape scrape)
      : piece_(std::move(first)), scrape_(std::move(scrape)) {}

  coro::Task<std::string> next(coro::CancelSource*) override {
    if (piece_.empty() && more_) more_ = scrape_.next(piece_, kScrapePieceBytes);
    co_return std::exchange(piece_, {});
  }

 private:
  std::string piece_;
  telemetry::Scrape scrape_;
  bool more_ = true;
};

constexpr std::string_view kLoggingHelp =
    "usage: POST /logging                          shows the filter\n"
    "       POST /logging?level=LEVEL              sets the default level\n"
    "       POST /logging?level=TARGET=LEVEL,...   sets the level of targets\n"
    "       POST /logging?reset[&level=...]        goes back to the filter of the start\n"
    "       POST /logging?access=NAMESPACE:WHAT,...  says which connections the access log has\n"
    "LEVEL is one of off, error, warn, info, debug, trace\n"
    "WHAT is one of all, error, denied, none, or a share of what ended well such as 1%25;\n"
    "NAMESPACE may be * for all others\n";

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

struct Filters {
  log::Filter log;
  telemetry::AccessFilter access;
};

/// The filters as the request wants them, or one line that says what is wrong with it.
std::expected<Filters, std::string> changed_by(const Request& request, const Filters& at_start) {
  Filters filters = at_start;
  if (!request.parameter("reset"))
    filters = {.log = log::filter(), .access = telemetry::access_filter()};
  const std::string_view level = request.parameter("level").value_or("");
  auto changed = filters.log.with(level);
  if (!changed || has_bare_target(level))
    return std::unexpected("invalid level: " + std::string(level));
  filters.log = std::move(*changed);
  if (const auto clauses = request.parameter("access")) {
    auto parsed = telemetry::AccessFilter::parse(*clauses);
    if (!parsed) return std::unexpected("invalid access: " + parsed.error());
    filters.access = std::move(*parsed);
  }
  return filters;
}

Response answer_logging(const Request& request, const Filters& at_start) {
  if (request.method != "POST") {
    Response refusal = Response::text(405, std::string(kLoggingHelp));
    refusal.fields.add("Allow", "POST");
    return refusal;
  }
  const bool reset = request.parameter("reset").has_value();
  if (reset || !request.parameter("level").value_or("").empty() || request.parameter("access")) {
    const auto filters = changed_by(request, at_start);
    if (!filters) return Response::text(400, filters.error() + "\n" + std::string(kLoggingHelp));
    log::set_filter(filters->log);
    telemetry::set_access_filter(filters->access);
    log::info("admin", "log filter is now {}, access log filter {}", filters->log.to_string(),
              filters->access.to_string());
  }
  std::string text = "current log level is " + log::filter().to_string() + "\n";
  const telemetry::AccessFilter access = telemetry::access_filter();
  if (!access.takes_all()) text += "current access log filter is " + access.to_string() + "\n";
  return Response::text(200, std::move(text));
}

}  // namespace

void add_readiness(Router& router, const Readiness& readiness) {
  router.add("/healthz/ready", Methods::only_get, "is the program ready?",
             [&readiness](const Request&) { return readiness.answer(); });
}

void add_metrics(Router& router, telemetry::Registry& registry, std::function<MonoTime()> now) {
  Handler handler = [&registry, now = std::move(now)](const Request& request) {
    telemetry::Scrape scrape = registry.scrape(now());
    std::string first;
    const bool more = scrape.next(first, kScrapePieceBytes);
    Response response = more ? Response::stream("", std::make_unique<ScrapeBody>(std::move(first),
                                                                                 std::move(scrape)))
                             : Response::text(200, std::move(first));
    response.content_type =
        telemetry::metrics_content_type(request.fields.find("accept").value_or(""));
    return response;
  };
  router.add("/metrics", Methods::get, "metrics in OpenMetrics text", handler);
  router.add("/stats/prometheus", Methods::get, "the same", handler);
}

void add_logging(Router& router, log::Filter at_start, telemetry::AccessFilter access_at_start) {
  // The handler answers other methods itself, with its help.
  router.add("/logging", Methods::any,
             "shows (POST) and changes (POST, ?level=, ?access=, ?reset) what is logged",
             [at_start = Filters{std::move(at_start), std::move(access_at_start)}](
                 const Request& request) { return answer_logging(request, at_start); });
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
