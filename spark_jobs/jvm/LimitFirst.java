package headgate;

import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Offset;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.UnaryNode;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractPartialFunction;

/** LIMIT and OFFSET choose the rows before their calls are made: a call ahead for a row nobody gets would cost money. */
final class LimitFirst extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.transformUp(new Swap());
  }

  private static final class Swap extends AbstractPartialFunction<LogicalPlan, LogicalPlan> {
    @Override
    public boolean isDefinedAt(LogicalPlan plan) {
      return (plan instanceof GlobalLimit || plan instanceof LocalLimit || plan instanceof Offset)
          && asks(((UnaryNode) plan).child());
    }

    @Override
    public LogicalPlan apply(LogicalPlan plan) {
      return below(plan, (Project) ((UnaryNode) plan).child());
    }

    private static boolean asks(LogicalPlan plan) {
      return plan instanceof Project project
          && (Calls.in(CollectionConverters.asJava(project.expressions())) || asks(project.child()));
    }

    /** Below every list down to the last with a call in it; Spark lifts limits over lists without calls. */
    private static LogicalPlan below(LogicalPlan limit, Project project) {
      LogicalPlan child = project.child();
      return new Project(project.projectList(), asks(child) ? below(limit, (Project) child) : limited(limit, child));
    }

    private static LogicalPlan limited(LogicalPlan plan, LogicalPlan child) {
      if (plan instanceof GlobalLimit limit) {
        return new GlobalLimit(limit.limitExpr(), child);
      }
      if (plan instanceof LocalLimit limit) {
        return new LocalLimit(limit.limitExpr(), child);
      }
      Expression rows = ((Offset) plan).offsetExpr();
      return new Offset(rows, child);
    }
  }
}
