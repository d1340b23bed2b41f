// From a field to its line: for findings about the assembled mesh, where lines are long forgotten.
// Reads the object's file once more, so that a mesh which is only loaded need not remember lines.
#pragma once

#include "config/manifests/diagnostic.h"

#include <string>
#include <vector>

namespace aquifer::manifests {

/// A diagnostic whose line is that of its object, and what to look for inside of the object.
struct Finding {
  Diagnostic diagnostic;
  /// The keys that lead to the field: {"spec", "selector"}. Lists on the way are looked through.
  std::vector<std::string> path;
  /// The text below the field that is meant; empty: the field itself.
  std::string value;
};

/// Gives each finding of one file the line of what it is about, as far as that can be found in
/// `text`; else it keeps the line it has.
void locate(std::vector<Finding*>& findings, const std::string& text);

}  // namespace aquifer::manifests
