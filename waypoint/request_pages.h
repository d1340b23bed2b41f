// `/flows` and `/refusals` of the admin port: what requests are doing, and which were not allowed.
// Control thread.
#pragma once

#include "common/admin/followers.h"
#include "common/admin/router.h"
#include "waypoint/seen_request.h"
#include "waypoint/survey.h"

#include <string>

namespace aquifer::waypoint {

class RequestPages {
 public:
  RequestPages(io::Loop& loop, const WorkerThreads& workers);
  RequestPages(const RequestPages&) = delete;
  RequestPages& operator=(const RequestPages&) = delete;

  /// `GET /flows[?follow=1][&service=HOST][&event=EVENT]`, `GET /refusals`.
  void add_to(admin::Router& router);

  /// Of one worker: copying one takes it about a microsecond, and more are of no use to a reader.
  static constexpr std::size_t kSurveyedPerWorkerMax = 5'000;

 private:
  coro::Task<admin::Response> answer_flows(admin::Request request);
  coro::Task<admin::Response> answer_refusals(admin::Request request);
  void tell_workers(bool followed);

  io::Loop& loop_;
  const WorkerThreads& workers_;
  admin::Followers<SeenRequest> followers_;
};

}  // namespace aquifer::waypoint
