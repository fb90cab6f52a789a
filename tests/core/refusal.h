/// \file
/// The text of an error that a call has to end in.
#pragma once

#include "hesse/core/error.h"

#include <string>

/// What the Error says that call() throws; a text that no error has where it throws none.
template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const hesse::Error& error) {
    return error.what();
  }
  return "(nothing was refused)";
}
