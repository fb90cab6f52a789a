# The certified critical points of a network with 39 parameters on four draws of its data: the share of negative
# eigenvalues against the loss (Dauphin et al. 2014, figure 1).
#
#   gnuplot -c experiments/curvature/index_by_value.gp experiments/curvature/records/critical_points.csv index_by_value.svg
parameters = 39.0
set datafile separator ","
set terminal svg size 760,480 font "sans-serif,13"
set output ARG2
set title "critical points of a network with six hidden units, by the seed of its data"
set xlabel "share of negative eigenvalues"
set ylabel "value"
set grid
set key top left
set xrange [-0.01:0.4]
set yrange [0.4:1.15]
array colours[4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
array shapes[4] = [7, 5, 9, 13]
# Columns: data_seed, seed, kind, index, flat, value, gradient_norm, certified.
plot for [seed = 0:3] ARG1 skip 1 using (column(1) == seed && strcol(8) eq "yes" ? column(4) / parameters : NaN):6 \
     with points pointtype shapes[seed + 1] pointsize 0.8 linecolor rgb colours[seed + 1] title sprintf("seed %d", seed)
