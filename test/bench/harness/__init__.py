# SPDX-License-Identifier: GPL-2.0-or-later
"""What test/bench/run is made of."""
