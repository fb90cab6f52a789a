/// \file
/// HESSE_MULTIVERSION before a function definition compiles it for several instruction sets and
/// picks the best one of the machine at load time, so that one portable binary uses AVX2 or AVX-512
/// where they exist. It is empty where compiler or machine cannot do this, and under sanitizers,
/// whose start-up comes after the choice.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(HESSE_NO_MULTIVERSION)
#define HESSE_MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HESSE_MULTIVERSION
#endif
