#include "ztunnel/flow_survey.h"

#include <iterator>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// A worker answers within a turn of its loop, milliseconds; one that does not is stuck, and the
// page should say so rather than hang.
constexpr auto kAnswerTimeout = std::chrono::seconds(2);

/// Shared with the messages under way: a late answer must find it.
struct Answers {
  Survey survey;
  std::size_t awaited = 0;
  coro::Event arrived;
};

void look_at(const PodProxy& proxy, SurveyOf what, MonoTime now, Survey& into) {
  const PodContext& pod = proxy.context();
  if (what == SurveyOf::refusals) {
    std::vector<FlowEvent> refusals = pod.flows.refusals();
    std::ranges::move(refusals, std::back_inserter(into.flows));
    return;
  }
  pod.live.for_each([&](const LiveConnection& live) {
    if (into.flows.size() >= kSurveyedPerWorkerMax) {
      ++into.left_out;
      return;
    }
    FlowEvent event;
    event.at = std::chrono::system_clock::now();
    event.facts = live.facts();
    add_record(event, live.record(), now);
    into.flows.push_back(std::move(event));
  });
}

}  // namespace

coro::Task<Survey> survey(io::Loop& loop, const std::vector<std::unique_ptr<WorkerThread>>& workers,
                          SurveyOf what, std::string pod) {
  const auto answers = std::make_shared<Answers>();
  answers->awaited = workers.size();
  for (const auto& worker : workers) {
    worker->look([answers, what, pod, &loop](Worker& side, const Pods& pods) {
      Survey found;
      for (const auto& [id, proxy] : pods) {
        if (pod.empty() || proxy->context().account.name == pod)
          look_at(*proxy, what, side.loop.now(), found);
      }
      loop.post([answers, found = std::move(found)]() mutable {
        std::ranges::move(found.flows, std::back_inserter(answers->survey.flows));
        answers->survey.left_out += found.left_out;
        --answers->awaited;
        answers->arrived.notify();
      });
    });
  }
  const Deadline deadline = loop.after(kAnswerTimeout);
  while (answers->awaited > 0) {
    const Status woken = co_await io::wait_event(loop, answers->arrived, deadline);
    if (!woken) break;
  }
  answers->survey.silent_workers = answers->awaited;
  co_return std::move(answers->survey);
}

}  // namespace aquifer::ztunnel
