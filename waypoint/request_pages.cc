#include "waypoint/request_pages.h"

#include "waypoint/live_requests.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <expected>
#include <iterator>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

using admin::Request;
using admin::Response;

// About 100 KiB of text, half a millisecond of work.
constexpr std::size_t kRequestsPerPiece = 150;

struct Requests {
  std::vector<SeenRequest> requests;
  std::size_t left_out = 0;
  std::size_t silent_workers = 0;
};

std::string text_of(const SeenRequest& request) {
  return to_json(request).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class RequestsBody final : public admin::BodySource {
 public:
  RequestsBody(std::string_view list_name, Requests requests)
      : list_name_(list_name), requests_(std::move(requests)) {}

  coro::Task<std::string> next(coro::CancelSource*) override {
    std::string piece;
    if (!std::exchange(begun_, true)) {
      piece = fmt::format("{{\"leftOut\":{},\"silentWorkers\":{},\"{}\":[", requests_.left_out,
                          requests_.silent_workers, list_name_);
    }
    const auto& list = requests_.requests;
    const std::size_t end = std::min(at_ + kRequestsPerPiece, list.size());
    for (; at_ < end; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      piece += text_of(list[at_]);
    }
    if (at_ == list.size() && !std::exchange(ended_, true)) piece += "]}\n";
    co_return piece;
  }

 private:
  const std::string_view list_name_;  // a literal
  Requests requests_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

struct Filter {
  std::string service;  ///< host name; empty: all
  std::string event;    ///< empty: all

  [[nodiscard]] bool wants(const SeenRequest& request) const {
    if (!event.empty() && name_of(request.event) != event) return false;
    if (service.empty()) return true;
    const Downstream* downstream = request.downstream.get();
    return downstream != nullptr && downstream->service != nullptr &&
           downstream->service->hostname == service;
  }
};

constexpr std::string_view kHelp =
    "usage: GET /flows[?follow=1][&service=HOST][&event=live|answered|failed|refused]\n"
    "       GET /refusals[?service=HOST]\n";

Response refusal(int status, std::string_view what) {
  return Response::text(status, fmt::format("{}\n{}", what, kHelp));
}

std::expected<Filter, Response> filter_of(const Request& request) {
  Filter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "service") {
      filter.service = value;
    } else if (name == "event") {
      const bool known =
          value == "live" || value == "answered" || value == "failed" || value == "refused";
      if (!known)
        return std::unexpected(refusal(400, "event: write live, answered, failed or refused"));
      filter.event = value;
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

Requests look_at_live(Worker& worker) {
  Requests found;
  const MonoTime now = worker.loop.now();
  worker.live.for_each([&](const LiveRequest& live) {
    if (found.requests.size() >= RequestPages::kSurveyedPerWorkerMax) {
      ++found.left_out;
      return;
    }
    found.requests.push_back(see(live.record(), live.head(), now));
    found.requests.back().worker = worker.index;
  });
  return found;
}

Requests look_at_refusals(Worker& worker) {
  const auto& kept = worker.refusals.kept();
  return {.requests = {kept.begin(), kept.end()}, .left_out = 0, .silent_workers = 0};
}

Requests together(Survey<Requests> survey, const Filter& filter) {
  Requests all;
  all.silent_workers = survey.silent_workers;
  for (Requests& some : survey.answers) {
    all.left_out += some.left_out;
    std::ranges::copy_if(std::make_move_iterator(some.requests.begin()),
                         std::make_move_iterator(some.requests.end()),
                         std::back_inserter(all.requests),
                         [&filter](const SeenRequest& request) { return filter.wants(request); });
  }
  return all;
}

}  // namespace

RequestPages::RequestPages(io::Loop& loop, const WorkerThreads& workers)
    : loop_(loop),
      workers_(workers),
      followers_(
          loop, [](const SeenRequest& request) { return text_of(request) + "\n"; },
          [this](bool followed) { tell_workers(followed); }) {}

void RequestPages::add_to(admin::Router& router) {
  router.add_async("/flows", admin::Methods::get,
                   "live requests, as JSON; ?follow=1 as they end; ?service=HOST",
                   [this](Request request) { return answer_flows(std::move(request)); });
  router.add_async("/refusals", admin::Methods::get,
                   "the last requests that were not allowed, and why; ?service=HOST",
                   [this](Request request) { return answer_refusals(std::move(request)); });
}

void RequestPages::tell_workers(bool followed) {
  for (const auto& worker : workers_) {
    worker->look([this, followed](Worker& side) {
      if (!followed) {
        side.journal.follow(nullptr);
        return;
      }
      side.journal.follow([this](admin::Batch<SeenRequest> batch) {
        loop_.post([this, batch = std::move(batch)] { followers_.deliver(batch); });
      });
    });
  }
}

coro::Task<Response> RequestPages::answer_flows(Request request) {
  auto filter = filter_of(request);
  if (!filter) co_return std::move(filter.error());
  if (wants_to_follow(request)) {
    auto followed = followers_.follow(
        [filter = std::move(*filter)](const SeenRequest& seen) { return filter.wants(seen); });
    if (followed == nullptr) {
      co_return refusal(503, fmt::format("{} follow already: end one of them first",
                                         admin::Followers<SeenRequest>::kFollowersMax));
    }
    co_return Response::stream("application/x-ndjson", std::move(followed));
  }
  std::function<Requests(Worker&)> look = look_at_live;
  auto found = co_await survey<Requests>(loop_, workers_, std::move(look));
  auto body = std::make_unique<RequestsBody>("flows", together(std::move(found), *filter));
  co_return Response::stream("application/json", std::move(body));
}

coro::Task<Response> RequestPages::answer_refusals(Request request) {
  auto filter = filter_of(request);
  if (!filter) co_return std::move(filter.error());
  std::function<Requests(Worker&)> look = look_at_refusals;
  auto found = co_await survey<Requests>(loop_, workers_, std::move(look));
  auto body = std::make_unique<RequestsBody>("refusals", together(std::move(found), *filter));
  co_return Response::stream("application/json", std::move(body));
}

}  // namespace aquifer::waypoint
