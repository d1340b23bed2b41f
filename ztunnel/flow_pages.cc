#include "ztunnel/flow_pages.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <expected>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using admin::Request;
using admin::Response;

// About 100 KiB of text, half a millisecond of work.
constexpr std::size_t kEventsPerPiece = 200;

class EventsBody final : public admin::BodySource {
 public:
  EventsBody(std::string list_name, Survey survey)
      : list_name_(std::move(list_name)), survey_(std::move(survey)) {}

  coro::Task<std::string> next(coro::CancelSource*) override {
    std::string piece;
    if (!std::exchange(begun_, true)) {
      piece = fmt::format("{{\"leftOut\":{},\"silentWorkers\":{},\"{}\":[", survey_.left_out,
                          survey_.silent_workers, list_name_);
    }
    const std::size_t end = std::min(at_ + kEventsPerPiece, survey_.flows.size());
    for (; at_ < end; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      piece += to_json(survey_.flows[at_])
                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    if (at_ == survey_.flows.size() && !std::exchange(ended_, true)) piece += "]}\n";
    co_return piece;
  }

 private:
  std::string list_name_;
  Survey survey_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

constexpr std::string_view kHelp =
    "usage: GET /flows[?follow=1][&pod=NAMESPACE/NAME][&verdict=denied|allowed]\n"
    "       GET /refusals[?pod=NAMESPACE/NAME]\n";

Response refusal(int status, std::string_view what) {
  return Response::text(status, fmt::format("{}\n{}", what, kHelp));
}

std::expected<FlowFilter, Response> filter_of(const Request& request) {
  FlowFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "pod") {
      const std::size_t slash = value.find('/');
      const bool good = slash != std::string::npos && slash != 0 && slash + 1 < value.size() &&
                        slash == value.rfind('/');
      if (!good) return std::unexpected(refusal(400, "pod: write NAMESPACE/NAME"));
      filter.pod = value;
    } else if (name == "verdict") {
      if (value != "denied" && value != "allowed")
        return std::unexpected(refusal(400, "verdict: write denied or allowed"));
      filter.verdict = value == "denied" ? Verdict::denied : Verdict::allowed;
    } else if (name != "follow") {
      return std::unexpected(refusal(400, fmt::format("{}: no such parameter", name)));
    }
  }
  return filter;
}

bool wants_to_follow(const Request& request) {
  const auto follow = request.parameter("follow");
  return follow && *follow != "0" && *follow != "false";
}

}  // namespace

std::unique_ptr<admin::BodySource> events_body(std::string list_name, Survey survey) {
  return std::make_unique<EventsBody>(std::move(list_name), std::move(survey));
}

void FlowPages::add_to(admin::Router& router) {
  router.add_async(
      "/flows", admin::Methods::get,
      "live connections, as JSON; ?follow=1 as they open, end and are refused; ?pod=NS/NAME",
      [this](Request request) { return answer_flows(std::move(request)); });
  router.add_async("/refusals", admin::Methods::get,
                   "the last connections that were not allowed, and why; ?pod=NS/NAME",
                   [this](Request request) { return answer_refusals(std::move(request)); });
}

coro::Task<Response> FlowPages::answer_flows(Request request) {
  auto filter = filter_of(request);
  if (!filter) co_return std::move(filter.error());
  if (wants_to_follow(request)) {
    auto followed = hub_.follow(std::move(*filter));
    if (followed == nullptr) {
      co_return refusal(
          503, fmt::format("{} follow already: end one of them first", FlowHub::kFollowersMax));
    }
    co_return Response::stream("application/x-ndjson", std::move(followed));
  }
  // What is open was allowed; what was denied is remembered for a while.
  const bool denied = filter->verdict == Verdict::denied;
  const SurveyOf what = denied ? SurveyOf::refusals : SurveyOf::connections;
  auto found = co_await survey(loop_, workers_, what, std::move(filter->pod));
  co_return Response::stream("application/json", events_body("flows", std::move(found)));
}

coro::Task<Response> FlowPages::answer_refusals(Request request) {
  auto filter = filter_of(request);
  if (!filter) co_return std::move(filter.error());
  auto found = co_await survey(loop_, workers_, SurveyOf::refusals, std::move(filter->pod));
  co_return Response::stream("application/json", events_body("refusals", std::move(found)));
}

}  // namespace aquifer::ztunnel
