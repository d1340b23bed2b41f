// `/flows` and `/refusals` of the admin port: what connections are doing, and which were not
// allowed. Control thread.
#pragma once

#include "common/admin/router.h"
#include "ztunnel/flow_hub.h"
#include "ztunnel/flow_survey.h"

#include <memory>
#include <vector>

namespace aquifer::ztunnel {

class FlowPages {
 public:
  FlowPages(io::Loop& loop, const std::vector<std::unique_ptr<WorkerThread>>& workers) noexcept
      : loop_(loop), workers_(workers), hub_(loop, workers) {}

  /// `GET /flows[?follow=1][&pod=NS/NAME][&verdict=denied|allowed]`, `GET
  /// /refusals?pod=NS/NAME`.
  void add_to(admin::Router& router);

 private:
  coro::Task<admin::Response> answer_flows(admin::Request request);
  coro::Task<admin::Response> answer_refusals(admin::Request request);

  io::Loop& loop_;
  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  FlowHub hub_;
};

/// A list of events as it is sent: in pieces, so that the control thread is never long at it.
[[nodiscard]] std::unique_ptr<admin::BodySource> events_body(std::string list_name, Survey survey);

}  // namespace aquifer::ztunnel
