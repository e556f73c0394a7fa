"""docs/benchmarks.md: ``python tests/benchmarks/page.py > docs/benchmarks.md``, about 7 minutes on an idle machine."""

import chains
import export_time
import front_end
import start_up

if __name__ == "__main__":
    front_end.main()
    print("\n## Whole chains\n\nOne thread; in brackets how many times as fast as the library.\n")
    chains.main()
    print(
        "\n## Export\n\nA model of square matrices, the ImageNet steps in front. Only reading, loading and writing grow with it.\n"
    )
    export_time.main()
    print("\n## Start\n\nA process from its start to its end, medians of starts in turn.\n")
    start_up.main()
