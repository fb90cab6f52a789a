#!/usr/bin/env python3
"""The runner of the manual's commands finds what it is there to find: held against a program of a few lines that stands for
hesse, so that each fault can be planted."""
import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import manual_commands as manual

PROGRAM = r'''#!/bin/sh
case "$1 $2" in
  "--help ") printf 'Usage:\n\n  fit                Fits\n  list               Lists\n' ;;
  "fit --help") printf 'Options:\n  --problem <text>   what\n  --budget <text>    how long\n  --form <choice>    of it [long | short] (default long)\n  --quiet            no lines\n' ;;
  "list --json") echo '[{"name": "valley", "kind": "problem"}, {"name": "descent", "kind": "optimizer"}]' ;;
  "describe valley") echo '[{"options": [{"name": "n"}]}]' ;;
  "describe descent") echo '[{"options": [{"name": "lr"}]}]' ;;
  "doctor ") echo "BLAS OpenBLAS SkylakeX" ;;
  "data --json") echo '[{"name": "digits", "state": "present"}, {"name": "moons", "state": "missing"}]' ;;
  *) [ "$2" != --fail ] || exit 3
     printf 'value 0.50001 after 12 steps, 0.31 s\n────────\nwhat    seconds\n────────\nadam    0.0123\n────────\nbudget %s\n' "$3" ;;
esac
'''

OUTPUT = """value 0.5 after 12 steps, 0.9 s
────────
what    seconds
────────
adam    0.999
────────
budget 10epochs"""


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        path = cls.folder / "program"
        path.write_text(PROGRAM)
        path.chmod(0o755)
        cls.program = manual.Program(path)

    def run_page(self, text, update=False):
        """(failures, counts, the page afterwards)"""
        page = self.folder / "page.md"
        page.write_text(text)
        run = manual.PageRun(self.program, page, update)
        with contextlib.redirect_stdout(io.StringIO()):
            run.run()
        return run.failures, run.counts, page.read_text()

    def shown(self, output, comment=""):
        return f"# Page\n\n{comment}\n```console\n$ hesse fit --budget 10epochs\n{output}\n```\n"


class Commands(Case):
    def test_a_command_that_fails_fails_the_page(self):
        for block in ("```sh\nhesse fit --fail\n```", "    hesse fit --fail", "```console\n$ hesse fit --fail\n```"):
            failures, _, _ = self.run_page(f"Text.\n\n{block}\n")
            self.assertEqual(len(failures), 1)
            self.assertIn("exit code 3, expected 0", failures[0])

    def test_an_exit_code_that_is_announced_is_right(self):
        failures, counts, _ = self.run_page("<!-- manual: exit 3 -->\n```sh\nhesse fit --fail\n```\n")
        self.assertEqual((failures, counts["ran"]), ([], 1))
        self.assertTrue(self.run_page("<!-- manual: exit 3 -->\n```sh\nhesse fit\n```\n")[0])

    def test_loops_variables_and_foreign_lines_are_seen_as_bash_sees_them(self):
        text = "```sh\nscripts/no_such_script.sh --x \\\n  y\nB=3epochs\nfor i in 1 2; do\n  hesse fit --budget $B\ndone\n```\n"
        failures, counts, _ = self.run_page("```sh\nhesse fit\n```\n\n" + text.replace("for", "hesse fit\nfor"))
        self.assertEqual((failures, counts["ran"]), ([], 4))

    def test_a_later_command_uses_what_an_earlier_one_wrote(self):
        page = "<!-- manual: setup\nhesse fit > made\n-->\n\n```sh\nhesse fit < made\n```\n\n    hesse fit < made2\n"
        failures, counts, _ = self.run_page(page)
        self.assertEqual(len(failures), 1)
        self.assertEqual((counts["setup"], counts["ran"]), (1, 1))

    def test_options_are_checked_without_a_run(self):
        comment = "<!-- manual: options only, long -->\n"
        good = comment + "```sh\nhesse fit --fail-not --budget 1\n```\n"
        for arguments, wrong in (
            ("--budget 3epochs --form short --problem valley:n=3 --quiet", None),
            ("--bugdet 3epochs", "no option --bugdet; did you mean --budget?"),
            ("--form tall", "'tall' is none of long, short"),
            ("--problem valey", "'valey' of 'valey' is not in 'hesse list'"),
            ("--problem valley:m=3", "'valley' has no option 'm'"),
        ):
            failures, counts, _ = self.run_page(f"{comment}```sh\nhesse fit {arguments}\n```\n")
            if wrong:
                self.assertIn(wrong, failures[0])
            else:
                self.assertEqual((failures, counts["options"]), ([], 1))
        self.assertTrue(self.run_page(good)[0])

    def test_options_are_replaced_by_those_of_the_tests(self):
        block = "```console\n$ hesse fit --budget 10epochs\n...\nbudget 2epochs\n```\n"
        self.assertEqual(self.run_page("<!-- manual: with fit --budget 2epochs -->\n" + block)[0], [])
        self.assertEqual(self.run_page("<!-- manual: with --budget 2epochs -->\n" + block)[0], [])
        self.assertTrue(self.run_page("<!-- manual: with list --budget 2epochs -->\n" + block)[0])

    def test_what_is_not_run_is_counted_and_its_reason_wanted(self):
        failures, counts, _ = self.run_page("<!-- manual: not run, it needs a cluster -->\n```sh\nhesse fit --fail\n```\n")
        self.assertEqual((failures, counts["not run"], counts["ran"]), ([], 1, 0))
        self.assertTrue(self.run_page("<!-- manual: not run -->\n```sh\nhesse fit\n```\n")[0])

    def test_a_comment_that_steers_nothing_is_wrong(self):
        self.assertTrue(self.run_page("<!-- manual: exit 3 -->\n\nText.\n\n```sh\nhesse fit --fail\n```\n")[0])

    def test_text_in_backticks_is_checked(self):
        good = "`hesse fit --budget N`, `--quiet`, `valley:n=3`, `descent:lr=1`, `unknown:x=1`, `some code`\n"
        self.assertEqual(self.run_page(good)[0], [])
        for bad in ("`hesse fti`", "`hesse fit --bugdet N`", "`--bugdet`", "`valley:m=3`", "`descent:lr=1+valey`"):
            self.assertEqual(len(self.run_page(f"Text {bad}.\n")[0]), 1, bad)

    def test_a_missing_data_set_is_named(self):
        page = self.folder / "page.md"
        page.write_text("hesse fit --problem mlp:data=moons and mlp:data=digits")
        self.assertEqual(manual.missing_data(self.program, [page]), ["moons"])


class Output(Case):
    def test_the_true_output_passes_whatever_the_machine_adds(self):
        failures, counts, _ = self.run_page(self.shown(OUTPUT))
        self.assertEqual((failures, counts["outputs"]), ([], 1))

    def test_any_other_number_word_or_line_fails(self):
        for old, new in (("0.5 ", "0.52 "), ("12", "13"), ("steps", "epochs"), ("adam", "sgd"), ("budget 10epochs", "")):
            failures, _, _ = self.run_page(self.shown(OUTPUT.replace(old, new)))
            self.assertEqual(len(failures), 1, old)
            self.assertIn("not the true one", failures[0])

    def test_with_other_kernels_words_alone_are_compared(self):
        here, manual.KERNELS = manual.KERNELS, "Prescott"
        self.addCleanup(setattr, manual, "KERNELS", here)
        self.assertEqual(self.run_page(self.shown(OUTPUT.replace("0.5 ", "7e-3 ")))[0], [])
        self.assertTrue(self.run_page(self.shown(OUTPUT.replace("steps", "epochs")))[0])

    def test_the_tolerance_is_that_of_the_page(self):
        other = OUTPUT.replace("0.5 ", "0.53 ")
        self.assertEqual(self.run_page(self.shown(other, "<!-- manual: within 10 % -->"))[0], [])

    def test_dots_stand_for_any_lines_and_for_the_rest_of_one(self):
        for output in ("...", "value 0.5 after ...\n...", "...\nadam    1\n...\nbudget 10epochs", "...\nbudget ..."):
            self.assertEqual(self.run_page(self.shown(output))[0], [], output)
        for output in ("...\nbudget 10epochs\n...\nadam    1", "...\nadam    1", "value 0.6 ...\n..."):
            self.assertTrue(self.run_page(self.shown(output))[0], output)

    def test_rounding_is_no_difference(self):
        self.assertTrue(manual.same_line("residual 1e-14", "residual 3.2e-12", 0.02))
        self.assertFalse(manual.same_line("residual 1e-14", "residual 3.2e-5", 0.02))

    def test_update_writes_the_true_output_and_keeps_its_cuts(self):
        first = "value 0.50001 after 12 steps, 0.31 s"
        for output, expected in (
            ("", "\n".join([first, *OUTPUT.split("\n")[1:4], "adam    0.0123", *OUTPUT.split("\n")[5:]]) + "\n"),
            (OUTPUT.replace("12", "13"), "\n".join([first, *OUTPUT.split("\n")[1:]])),
            ("value 1 after ...\n...\nadam    9\n...\nbudget 3epochs",
             "value 0.50001 ...\n...\nadam    9\n...\nbudget 10epochs"),
        ):
            failures, _, page = self.run_page(self.shown(output), update=True)
            self.assertEqual(failures, [])
            self.assertEqual(page, self.shown(expected))
            self.assertEqual(self.run_page(page)[0], [])

    def test_a_figure_is_one_that_the_commands_make(self):
        if not manual.shutil.which("gnuplot"):
            self.skipTest("no gnuplot: what it would draw is not missed")
        figure = "\n<!-- manual: figure made.svg -->\n![made](shown.svg)\n"
        made = "<!-- manual: setup\necho drawing > made.svg\n-->\n" + figure
        self.assertEqual(self.run_page(made, update=True)[0], [])
        self.assertEqual((self.folder / "shown.svg").read_text(), "drawing\n")
        self.assertIn("have not made 'made.svg'", self.run_page(figure)[0][0])

    def test_update_takes_no_line_for_its_neighbour(self):
        shown, true = ["a 1.0", "b 2", "a 1.1", "a 1.2"], ["a 1.0", "b 3", "a 1.1", "a 1.2"]
        self.assertEqual(manual.updated_output(shown, true, 0.2, self.folder), true)

    def test_update_leaves_a_page_that_is_right_alone(self):
        page = self.shown(OUTPUT)
        self.assertEqual(self.run_page(page, update=True)[2], page)


if __name__ == "__main__":
    unittest.main()
